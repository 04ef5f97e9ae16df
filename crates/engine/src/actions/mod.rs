//! The actions of the shared path itself: where services are (Location), and what an account did
//! (`awan`).

mod describe_endpoints;
mod get_receipt;
mod list_audit_entries;

use crate::action::{Entry, action};

/// The table.
pub static ACTIONS: &[Entry] = &[
    action::<describe_endpoints::DescribeEndpoints>(),
    action::<list_audit_entries::ListAuditEntries>(),
    action::<get_receipt::GetReceipt>(),
];
