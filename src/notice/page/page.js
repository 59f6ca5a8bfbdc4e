{
  const find = (selector) => document.querySelector(selector);
  const { wait, spread, left, soon } = find("main").dataset;
  const time = find("time"), timer = find("[role=timer]"), progress = find("progress"), status = find("[role=status]");
  const page = document.documentElement.lang;
  const locale = navigator.languages.find((tag) => tag.split("-")[0] === page.split("-")[0]) || page;
  const opened = performance.now(), clock = Date.now(), elapsed = progress && progress.value;
  let due = +wait + Math.random() * spread;

  const countdown = (seconds) => {
    const two = (number) => String(Math.floor(number)).padStart(2, "0");
    const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24;
    const unit = { style: "unit", unit: "day", unitDisplay: "long" };
    return (days ? new Intl.NumberFormat(locale, unit).format(days) + " " : "")
      + (days || hours ? hours + ":" : "") + two(seconds / 60 % 60) + ":" + two(seconds % 60);
  };

  const tick = () => {
    const passed = Math.max(performance.now() - opened, Date.now() - clock) / 1000;
    if (passed >= due && !document.hidden && navigator.onLine) {
      due = passed + 60;
      history.replaceState(history.state, "", location.href);
      location.reload();
    }
    if (left) {
      const seconds = Math.ceil(left - passed);
      if (progress) progress.value = elapsed + passed;
      if (seconds > 0) timer.textContent = countdown(seconds);
      else if (soon && status.textContent !== soon) status.textContent = soon;
      timer.closest("div").hidden = seconds <= 0;
    }
  };

  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);
  if (left) {
    const end = new Date(time.dateTime), today = new Date(end - left * 1000).toDateString();
    const date = { weekday: "short", day: "numeric", month: "short" };
    const hour = { hour: "numeric", minute: "2-digit", timeZoneName: "short" };
    const style = end.toDateString() === today ? hour : { ...date, ...hour };
    time.textContent = new Intl.DateTimeFormat(locale, style).format(end);
  }
  tick();
}
