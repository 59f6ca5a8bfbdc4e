//! What a process took, by the kernel's account (`proc(5)`).

use std::fs;
use std::time::Duration;

use crate::Result;

/// The processor time of all threads of a process, the kernel's part for it included.
pub(crate) fn cpu(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name before it may have spaces in it.
    let (_, fields) = stat.rsplit_once(')').ok_or("no name in stat")?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || -> Result<u64> { Ok(fields.next().ok_or("stat is short")?.parse()?) };
    let (user, system) = (ticks()?, ticks()?);
    let tick = Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second())?;
    Ok(tick * u32::try_from(user + system)?)
}

/// What of a process is in memory, in KiB.
pub(crate) fn rss(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let size = line.ok_or("no VmRSS in status")?;
    Ok(size.trim().trim_end_matches(" kB").parse()?)
}
