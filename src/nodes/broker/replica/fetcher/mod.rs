//! Following leaders: one fetcher for each broker that this one follows, one request in flight each
//! (`AbstractFetcherThread` with `num.replica.fetchers=1`).
//!
//! | file | concern |
//! |---|---|
//! | `fetchers` | what is kept for each leader |
//! | `requests` | what a fetcher asks next |
//! | `responses` | what follows from its leader's answers |
//! | `handler` | connections, deadlines, pauses |

mod fetchers;
mod handler;
mod requests;
mod responses;

pub use self::fetchers::Fetchers;
pub use self::handler::FollowerHandler;
