//! What compiled Python holds by number during a request: responses that are being made, and JSON.
//!
//! It costs nothing to forget where nothing was made.

use crate::exchange::Answer;
use crate::fields::Fields;
use crate::limits::{MAX_RESPONSE_BODY_BYTES, MAX_RESPONSES};
use crate::python::arena::Arena;

/// Values of the script that runs, and header fields of the answer.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Header fields of the answer.
    pub(crate) answer: Fields,
    /// Values read from JSON.
    pub(crate) json: Arena,
    /// Handle n is the one at n-1; those behind the first `used` are kept for their buffers.
    responses: Vec<Made>,
    used: usize,
    body_bytes: usize,
}

/// A response that may become the answer.
#[derive(Debug, Default)]
struct Made {
    /// `None` once it was given away.
    answer: Option<Answer>,
    fields: Fields,
}

impl State {
    /// A request begins.
    pub(crate) fn clear(&mut self) {
        if !self.answer.is_empty() {
            self.answer.clear();
        }
        self.restart();
    }

    /// Another script begins, which knows no handle of the last one.
    pub(crate) fn restart(&mut self) {
        if self.used > 0 {
            self.responses[..self.used].iter_mut().for_each(|made| made.answer = None);
            self.responses.truncate(MAX_KEPT);
            (self.used, self.body_bytes) = (0, 0);
        }
        self.json.clear();
    }

    /// A handle of a response, or the limit that forbids it.
    pub(crate) fn make(&mut self, answer: Answer) -> Result<u64, String> {
        let bytes = if let Answer::Respond { body, .. } = &answer { body.len() } else { 0 };
        self.body_bytes = self.body_bytes.saturating_add(bytes);
        if self.body_bytes > MAX_RESPONSE_BODY_BYTES {
            return Err(format!(
                "the bodies of its responses are larger than {MAX_RESPONSE_BODY_BYTES} bytes"
            ));
        }
        if self.used >= MAX_RESPONSES {
            return Err(format!("it makes more than {MAX_RESPONSES} responses"));
        }
        if self.used == self.responses.len() {
            self.responses.push(Made::default());
        }
        let made = &mut self.responses[self.used];
        made.answer = Some(answer);
        if !made.fields.is_empty() {
            made.fields.clear();
        }
        self.used += 1;
        Ok(self.used as u64)
    }

    fn made(&mut self, handle: u64) -> Option<&mut Made> {
        let index = usize::try_from(handle).ok()?.checked_sub(1)?;
        let made = self.responses[..self.used].get_mut(index)?;
        made.answer.is_some().then_some(made)
    }

    /// Header fields of a response.
    pub(crate) fn fields(&mut self, handle: u64) -> Option<&mut Fields> {
        Some(&mut self.made(handle)?.fields)
    }

    /// Give a response away; its header fields become those of the answer.
    pub(crate) fn decide(&mut self, handle: u64) -> Option<Answer> {
        let index = usize::try_from(handle).ok()?.checked_sub(1)?;
        let made = self.responses[..self.used].get_mut(index)?;
        let answer = made.answer.take()?;
        std::mem::swap(&mut self.answer, &mut made.fields);
        Some(answer)
    }
}

/// Responses whose buffers are kept from request to request.
const MAX_KEPT: usize = 4;
