//! Windows: how much one side may send before the other has made room (RFC 9113 §5.2 and §6.9).

use super::frame::{self, Code, MOST, WINDOW};

/// From how many bytes on a window that we have opened is opened anew. Before that the client has
/// half of it left, and a WINDOW_UPDATE for each frame would cost more than the frame.
const HALF: u32 = WINDOW / 2;

/// How much we may send. A change of the settings can take more of it than there is (§6.9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sending(i64);

impl Sending {
    pub(super) fn new(size: u32) -> Self {
        Self(size.into())
    }

    /// Opens the window by `more`, or closes it.
    pub(super) fn change(&mut self, more: i64) -> Result<(), Code> {
        self.0 += more;
        if self.0 > MOST.into() {
            return Err(Code::FlowControlError);
        }
        Ok(())
    }

    /// How much of `length` bytes may be sent through this window and `other`.
    pub(super) fn room(self, other: Self, length: usize) -> usize {
        let room = usize::try_from(self.0.min(other.0)).unwrap_or_default();
        room.min(length)
    }

    /// Notes that so many bytes are sent. There was room for them.
    pub(super) fn take(&mut self, length: usize) {
        self.0 -= i64::try_from(length).unwrap_or(i64::MAX);
    }
}

/// How much the client has sent of the window that it was given. What it sends is thrown away, so
/// that there is always room for more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Receiving {
    taken: u32,
}

impl Receiving {
    /// Notes that so many bytes have come.
    pub(super) fn take(&mut self, length: usize) -> Result<(), Code> {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let taken = self.taken.checked_add(length);
        let taken = taken.filter(|taken| *taken <= WINDOW);
        self.taken = taken.ok_or(Code::FlowControlError)?;
        Ok(())
    }

    /// Opens the window again, where there is little left of it.
    pub(super) fn open(&mut self, output: &mut Vec<u8>, stream: u32) {
        if self.taken > HALF {
            frame::window_update(output, stream, self.taken);
            self.taken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    use super::*;

    #[test]
    fn a_window_below_zero_has_no_room_until_it_is_opened_beyond() {
        let connection = Sending::new(MOST);
        let mut window = Sending::new(10);
        window.take(window.room(connection, 100));
        assert_eq!(window, Sending(0));
        assert_eq!(window.change(-7), Ok(()));
        for (more, room) in [(0, 0), (6, 0), (1, 0), (1, 1), (100, 5)] {
            window.change(more).unwrap();
            assert_eq!(window.room(connection, 5), room, "{more}");
        }
        assert_eq!(connection.room(Sending::new(3), 5), 3);
    }

    #[test]
    fn a_window_has_a_largest_size() {
        let mut window = Sending::new(MOST);
        assert_eq!(window.change(0), Ok(()));
        assert_eq!(window.change(1), Err(Code::FlowControlError));
        let mut window = Sending::new(0);
        assert_eq!(window.change(-i64::from(MOST)), Ok(()));
        assert_eq!(window.change(2 * i64::from(MOST)), Ok(()));
        assert_eq!(window.change(1), Err(Code::FlowControlError));
    }

    #[test]
    fn who_sends_more_than_he_was_let_is_told() {
        let mut window = Receiving::default();
        assert_eq!(window.take(65_535), Ok(()));
        assert_eq!(window.take(0), Ok(()));
        assert_eq!(window.take(1), Err(Code::FlowControlError));
        assert_eq!(window.take(usize::MAX), Err(Code::FlowControlError));
    }

    proptest! {
        #[test]
        fn what_was_taken_is_given_back_in_time(
            lengths in prop::collection::vec(0_usize..=16_384, 0..100),
        ) {
            let mut window = Receiving::default();
            let (mut taken, mut output) = (0, Vec::new());
            for length in lengths {
                prop_assert_eq!(window.take(length), Ok(()));
                window.open(&mut output, 3);
                taken += length;
                let updates = output.chunks(frame::HEAD + 4).map(|frame| {
                    let head = frame::Head::read(frame).unwrap();
                    assert_eq!((head.kind, head.stream), (frame::kind::WINDOW_UPDATE, 3));
                    frame::number(&frame[frame::HEAD..]).unwrap() as usize
                });
                let given = updates.sum::<usize>();
                prop_assert!(given <= taken && taken - given <= HALF as usize);
            }
        }
    }
}
