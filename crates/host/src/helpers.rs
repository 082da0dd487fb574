//! Bodies of helpers, for now refusing.

use crate::{Exchange, Outcome, World};
use zeroserve_vm::Instance;

/// What a body gets.
pub(crate) struct Call<'a> {
    pub(crate) args: [u64; 5],
    pub(crate) exchange: &'a mut Exchange,
    pub(crate) instance: &'a mut Instance,
    pub(crate) world: &'a dyn World,
}

/// A body.
pub(crate) type Body = fn(&mut Call<'_>) -> Outcome;

macro_rules! stubs {
    ($($module:ident: $($name:ident)+;)+) => {
        $(pub(crate) mod $module {
            $(pub(crate) fn $name(call: &mut super::Call<'_>) -> crate::Outcome {
                let _ = (&call.args, &call.exchange, &call.instance, call.world.now_ms());
                crate::Outcome::Trap("this helper does not exist yet".into())
            })+
        })+
    };
}

stubs! {
    basics: log now_ms version env_get getrandom;
    memory: copy compare set;
    crypto: sha256 hmac_sha256;
    encoding: base64_encode base64_decode hex_encode hex_decode;
    json: parse load_static load_metadata reset get array_get read_string read_i64 read_bool new_object new_array duplicate len kind set remove array_push array_set set_string set_i64 set_bool set_null free;
    request: body_json method path normalized_path uri query scheme peer proto_major proto_minor is_tls header query_param query_param_matches remote_ip_matches body_limit connection_info;
    rewrite: set_method set_uri set_header append_header delete_header;
    meta: get set;
    respond: respond json_respond reverse_proxy abort pending clear;
    hook: add clear status set_status header;
    calls: call;
    limit: rate_limit;
    aws: authorization presigned;
}
