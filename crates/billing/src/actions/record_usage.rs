//! awan 2026-01-01 `RecordUsage` (operator): events of meters outside of the cloud. Each counts once.

use base::{AccountId, ApiError, Code};
use engine::{Action, Cx, Meta, meter};
use serde::{Deserialize, Serialize};

use super::awan_write;
use crate::month::{DAY, hour_of};
use crate::request::{self, invalid, word};
use crate::tables::account;
use crate::tables::event::{self, Event};

/// How far ahead of ours a meter's clock may be, seconds.
const AHEAD_MAX: i64 = 300;
/// How late an event may be, seconds. Where its month's bill is final it is a correction on the next.
const LATE_MAX: i64 = 366 * DAY;
/// Events in one request.
const EVENTS_MAX: usize = 100;

const REUSED: Code =
    Code::new("UsageEventReused", 409, "An event with this id was recorded with other contents.");
const AHEAD: Code = Code::new(
    "UsageEventInFuture",
    400,
    "The event lies more than five minutes in the future: the clock of the meter is wrong.",
);
const TOO_LATE: Code = Code::new(
    "UsageEventTooLate",
    400,
    "The event is more than a year old and can no longer be billed.",
);

pub struct RecordUsage;

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    /// Up to 100; all of them are recorded, or none.
    events: Vec<Sent>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Sent {
    /// Given by the meter, from what it measured and not from when it sends it.
    id: String,
    /// Who used it.
    account_id: AccountId,
    /// What was used.
    resource: String,
    /// By which meter.
    meter: String,
    /// When, ISO 8601; it is billed in the hour that this is in.
    start: String,
    /// How much, in the meter's own units; above 0.
    quantity: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Response {
    /// How many were new.
    recorded: usize,
    /// How many had been recorded before.
    known: usize,
}

impl Action for RecordUsage {
    const META: Meta = awan_write("RecordUsage");
    type Request = Request;
    type Response = Response;

    fn run(cx: &mut Cx<'_>, request: Request) -> Result<Response, ApiError> {
        if request.events.is_empty() || request.events.len() > EVENTS_MAX {
            let message = format!("There must be 1 to {EVENTS_MAX} events.");
            return Err(invalid("Events", message));
        }
        let mut events = Vec::with_capacity(request.events.len());
        for sent in request.events {
            events.push(checked(sent)?);
        }
        let operator = cx.account();
        cx.require_operator(&format!("acs:awan:*:{operator}:usage"))?;
        let (mut recorded, mut known) = (0, 0);
        for event in &events {
            if record(cx, event)? { recorded += 1 } else { known += 1 }
        }
        cx.audit_detail("recorded", recorded.to_string());
        cx.audit_detail("known", known.to_string());
        Ok(Response { recorded, known })
    }
}

fn checked(sent: Sent) -> Result<Event, ApiError> {
    word("Events.Id", &sent.id, 128)?;
    word("Events.Resource", &sent.resource, 256)?;
    word("Events.Meter", &sent.meter, 64)?;
    if sent.quantity < 1 {
        return Err(invalid("Events.Quantity", "Quantity must be above 0."));
    }
    let start = request::moment("Events.Start", Some(&sent.start), i64::MIN)?;
    let Sent { id, account_id: account, resource, meter, quantity, .. } = sent;
    Ok(Event { id, account, resource, meter, start, quantity })
}

/// Records one event; false where it had been.
fn record(cx: &mut Cx<'_>, event: &Event) -> Result<bool, ApiError> {
    if let Some(before) = event::find(cx.tx(), &event.id)? {
        return if before == *event { Ok(false) } else { Err(REUSED.into()) };
    }
    let now = cx.now;
    // Only now: what was recorded once is known, whatever has become of the clock.
    if event.start > now.secs() + AHEAD_MAX {
        return Err(AHEAD.into());
    }
    if event.start < now.secs() - LATE_MAX {
        return Err(TOO_LATE.into());
    }
    event::insert(cx.tx(), event, now)?;
    let Event { account, resource, meter, start, quantity, .. } = event;
    meter::record(cx.tx(), *account, resource, meter, base::Time::from_secs(*start), *quantity)?;
    let hour = hour_of(*start);
    if account::find(cx.tx(), *account)?.is_some_and(|state| hour < state.closed) {
        account::note_late(cx.tx(), *account, hour)?;
    }
    Ok(true)
}
