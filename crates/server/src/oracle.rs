//! Scripts that run elsewhere than in the engine: in CPython, whose answers are what compiled ones
//! are compared with.

use zeroserve_host::Exchange;

/// Runs all scripts of a site, for requests without sockets.
///
/// Errors are the status to answer in place of all that scripts decided.
pub trait Oracle {
    /// Run those that see the request, until one answers. Its body is there, or too large.
    fn on_request(&self, exchange: &mut Exchange) -> Result<(), u16>;

    /// Run those that see the response.
    fn on_response(&self, exchange: &mut Exchange) -> Result<(), u16>;

    /// Whether there are any that do.
    fn sees_responses(&self) -> bool;
}
