//! Up to which moment the archive has everything, as far as what the server says allows to tell. Pure.
//!
//! When something is stored says only that it was written before. That nothing older is missing is known once the
//! archive has come to where the server said that its log ended, at the moment when it said so.

use ::base::Time;

use super::super::wal::Lsn;

/// The server's log ended there at that moment.
#[derive(Clone, Copy, Debug)]
struct Mark {
    end: Lsn,
    at: Time,
}

/// What the server said of the end of its log, while the archive follows.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The first that the archive has not come to. While it waits for it no later one takes its place: else the
    /// archive of a server that writes all the time would never come to any.
    next: Option<Mark>,
    latest: Option<Mark>,
    moment: Option<Time>,
}

impl Reach {
    /// Notes what the server said.
    pub(super) fn seen(&mut self, end: Lsn, at: Time) {
        let mark = Mark { end, at };
        self.latest = Some(mark);
        self.next.get_or_insert(mark);
    }

    /// The moment before which nothing is missing where everything before `position` is there.
    pub(super) fn moment(&mut self, position: Lsn) -> Option<Time> {
        for _ in 0..2 {
            let Some(mark) = self.next.take_if(|mark| mark.end <= position) else { break };
            self.moment = self.moment.max(Some(mark.at));
            self.next = self.latest.take();
        }
        self.moment
    }

    /// Nothing of the log was on its way when the server was asked at that moment. As [`Self::moment`].
    pub(super) fn idle(&mut self, position: Lsn, at: Time) -> Option<Time> {
        self.moment(position);
        if self.next.is_none() {
            self.moment = self.moment.max(Some(at));
        }
        self.moment
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: fn(i64) -> Time = Time::from_secs;

    #[test]
    fn while_the_archive_catches_up_its_moment_stays() {
        let mut reach = Reach::default();
        assert_eq!(reach.moment(Lsn(5)), None, "nothing is known");
        reach.seen(Lsn(100), AT(11));
        assert_eq!(reach.moment(Lsn(99)), None);
        assert_eq!(reach.idle(Lsn(99), AT(50)), None);
        // The server goes on writing meanwhile.
        reach.seen(Lsn(150), AT(12));
        reach.seen(Lsn(200), AT(13));
        assert_eq!(reach.moment(Lsn(100)), Some(AT(11)));
        assert_eq!(reach.moment(Lsn(199)), Some(AT(11)));
        assert_eq!(reach.moment(Lsn(200)), Some(AT(13)));
        assert_eq!(reach.idle(Lsn(200), AT(60)), Some(AT(60)));
    }

    proptest! {
        #[test]
        fn no_moment_is_later_than_what_is_there(
            steps in prop::collection::vec((0..50_u64, 0..50_u64), 1..40),
        ) {
            let (mut reach, mut end, mut position) = (Reach::default(), 0, 0);
            let mut said = Vec::new();
            for ((written, read), second) in steps.into_iter().zip(1..) {
                end += written;
                said.push((end, AT(second)));
                reach.seen(Lsn(end), AT(second));
                position = (position + read).min(end);
                let moment = reach.moment(Lsn(position));
                let missing = said.iter().find(|(end, _)| *end > position);
                if let (Some((_, missing)), Some(moment)) = (missing, moment) {
                    prop_assert!(moment < *missing);
                }
            }
            let last = said.last().map(|(_, at)| *at);
            prop_assert_eq!(reach.moment(Lsn(end)), last, "in the end it has all");
        }
    }
}
