//! Calls from script to script.

use crate::Outcome;
use crate::guest::{Call, Instead, Reply};
use crate::helpers::json::copy_or_null;
use crate::limits::MAX_CALL_DEPTH;

pub(crate) fn call(call: &mut Call<'_>) -> Reply {
    let [script, script_len, function, function_len, handle] = call.args;
    let input = call.guest.input();
    let script = input.name("script", script, script_len)?.to_owned();
    let function = input.name("func", function, function_len)?.to_owned();
    let (input, _) = copy_or_null(call, handle)?;
    let deep = call.exchange.call_depth() >= MAX_CALL_DEPTH;
    if deep || script.is_empty() || function.is_empty() || call.exchange.handles.is_full() {
        return Err(Instead::Nothing);
    }
    Err(Instead::Other(Outcome::Call { script, function, input }))
}
