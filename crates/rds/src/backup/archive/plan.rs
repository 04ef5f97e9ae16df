//! Where a stream of the log begins: after what the archive has, along the timelines that the server went. Pure.

use super::super::replication::System;
use super::super::wal::{Lsn, Switch};
use crate::tables::wal::Span;

/// From where to stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which timeline.
    pub timeline: u32,
    /// From where.
    pub from: Lsn,
    /// Where the span begins that this makes longer.
    pub span: Lsn,
    /// Something before it was lost, or never there: only a new base backup can go on from here.
    pub gap: bool,
}

impl Plan {
    /// From the oldest that the server keeps, whatever the archive has.
    pub fn anew(system: &System, kept: Option<Lsn>, gap: bool) -> Self {
        let from = kept.unwrap_or(system.end).min(system.end).segment();
        Self { timeline: system.timeline, from, span: from, gap }
    }
}

/// Plans; `history` are the ancestors of the server's timeline, `kept` is from where it keeps its log for the archive.
///
/// # Errors
/// Where the server is behind the archive: another has taken over since, and nothing of this one may be archived.
pub fn plan(
    spans: &[Span],
    system: &System,
    history: &[Switch],
    kept: Option<Lsn>,
) -> Result<Plan, String> {
    let own = spans.iter().filter(|span| span.cluster == system.cluster);
    let Some(newest) = own.max_by_key(|span| (span.timeline, span.end)) else {
        // With another cluster's log before it, that ended: a major upgrade.
        return Ok(Plan::anew(system, kept, !spans.is_empty()));
    };
    if newest.timeline > system.timeline {
        return Err(format!(
            "it is on timeline {}, and {} is archived",
            system.timeline, newest.timeline
        ));
    }
    let on = |timeline, from: Lsn, span| Plan { timeline, from, span, gap: false };
    if newest.timeline == system.timeline {
        return Ok(on(newest.timeline, newest.end, newest.start));
    }
    let Some(place) = history.iter().position(|it| it.timeline == newest.timeline) else {
        return Ok(Plan::anew(system, kept, true));
    };
    let after = history.get(place + 1).map_or(system.timeline, |next| next.timeline);
    // The new timeline's first segment has what the old one's last had up to there.
    let first = history[place].at.segment();
    if newest.end >= first {
        return Ok(on(after, first, first));
    }
    Ok(on(newest.timeline, newest.end, newest.start))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use base::Time;
    use proptest::prelude::*;

    use super::super::super::wal::SEGMENT;
    use super::*;

    fn span(cluster: u64, timeline: u32, start: u64, end: u64) -> Span {
        let (start, end) = (Lsn(start), Lsn(end));
        let newest = Time::from_secs(0);
        Span { instance: "i".to_owned(), cluster, timeline, start, end, bytes: 0, newest }
    }

    fn system(timeline: u32, end: u64) -> System {
        System { cluster: 7, timeline, end: Lsn(end) }
    }

    const S: u64 = SEGMENT;

    #[test]
    fn nothing_archived_begins_at_the_segment_that_the_server_keeps() {
        let plan = plan(&[], &system(1, 5 * S + 9), &[], Some(Lsn(3 * S + 4))).unwrap();
        assert_eq!(plan, Plan { timeline: 1, from: Lsn(3 * S), span: Lsn(3 * S), gap: false });
    }

    #[test]
    fn what_is_archived_is_gone_on_with() {
        let spans = [span(7, 1, S, 2 * S + 5), span(7, 1, 4 * S, 5 * S + 3)];
        let plan = plan(&spans, &system(1, 9 * S), &[], None).unwrap();
        let expected = Plan { timeline: 1, from: Lsn(5 * S + 3), span: Lsn(4 * S), gap: false };
        assert_eq!(plan, expected);
    }

    #[test]
    fn another_cluster_is_a_gap() {
        let plan = plan(&[span(6, 3, S, 2 * S)], &system(1, 9 * S), &[], None).unwrap();
        assert!(plan.gap && plan.timeline == 1);
    }

    #[test]
    fn after_a_failover_the_next_timeline_begins_with_the_segment_of_the_switch() {
        let history = [Switch { timeline: 1, at: Lsn(4 * S + 8) }];
        for archived in [4 * S, 4 * S + 8, 4 * S + 100] {
            let plan = plan(&[span(7, 1, S, archived)], &system(2, 5 * S), &history, None).unwrap();
            assert_eq!(plan, Plan { timeline: 2, from: Lsn(4 * S), span: Lsn(4 * S), gap: false });
        }
        let behind = [span(7, 1, S, 3 * S + 1)];
        let plan = plan(&behind, &system(2, 5 * S), &history, None).unwrap();
        assert_eq!(plan, Plan { timeline: 1, from: Lsn(3 * S + 1), span: Lsn(S), gap: false });
    }

    #[test]
    fn an_old_primary_that_came_back_is_refused() {
        assert!(plan(&[span(7, 2, S, 2 * S)], &system(1, 9 * S), &[], None).is_err());
    }

    proptest! {
        #[test]
        fn no_plan_leaves_anything_out_between_it_and_the_archive(
            ends in prop::collection::vec(0..64 * S, 1..4),
            switches in prop::collection::vec(0..64 * S, 0..4),
            kept in prop::option::of(0..64 * S),
        ) {
            let spans: Vec<_> =
                (1..).zip(&ends).map(|(timeline, end)| span(7, timeline, 0, *end)).collect();
            let history: Vec<_> =
                (1..).zip(&switches).map(|(timeline, at)| Switch { timeline, at: Lsn(*at) }).collect();
            let newest = u32::try_from(ends.len()).unwrap();
            let timeline = u32::try_from(history.len()).unwrap() + 1;
            if let Ok(plan) = plan(&spans, &system(timeline, 64 * S), &history, kept.map(Lsn)) {
                prop_assert!(plan.gap || plan.from <= spans.last().unwrap().end);
                prop_assert!(plan.gap || plan.timeline >= newest);
                prop_assert!(plan.span <= plan.from);
            } else {
                prop_assert!(timeline < newest);
            }
        }
    }
}
