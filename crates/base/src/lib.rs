//! The words of the domain: identifiers, time, errors, secrets, and the doors to the clock and to
//! randomness. No I/O and no async here, and nothing that knows a protocol or a database.

pub mod clock;
pub mod code;
pub mod error;
pub mod id;
pub mod region;
pub mod rng;
pub mod secret;
pub mod text;
pub mod time;

pub use clock::{Clock, SystemClock};
pub use code::Code;
pub use error::{ApiError, Denied};
pub use id::{AccountId, RequestId};
pub use rng::{Rng, SystemRng};
pub use secret::Secret;
pub use time::Time;
