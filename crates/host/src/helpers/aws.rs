//! Signatures for AWS and those who speak as it does.

use crate::guest::{Call, Input, Instead, Reply, found};
use crate::handles::Handles;
use crate::limits::{HASH_FUEL, MAX_HEADER_BYTES, MAX_SIGNED_HEADERS};
use crate::sigv4::{Params, header_name};
use crate::words::{field_value, is_method, is_target};

/// Fields of `zs_aws_v4_sign_params`, 8 bytes each.
const FIELDS: usize = 18;

/// Bytes of `zs_aws_v4_sign_params`.
pub(crate) const PARAMS_BYTES: u64 = 8 * FIELDS as u64;

/// Where a text stands in the fields: its address, then its length.
const ACCESS_KEY: usize = 0;
const SECRET_KEY: usize = 2;
const REGION: usize = 4;
const SERVICE: usize = 6;
const METHOD: usize = 8;
const URI: usize = 10;
const HEADERS_JSON: usize = 12;
const BODY_HASH: usize = 13;
const TIMESTAMP_MS: usize = 15;
const OUT: usize = 16;

fn fields(input: Input<'_>, args: [u64; 5]) -> Result<[u64; FIELDS], Instead> {
    let [address, len, ..] = args;
    if len != PARAMS_BYTES {
        return Err(Instead::Nothing);
    }
    let bytes = input.bytes("params", address, PARAMS_BYTES)?;
    let mut fields = [0; FIELDS];
    for (field, bytes) in fields.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *field = u64::from_le_bytes(*bytes);
    }
    Ok(fields)
}

/// Headers to sign, by name.
fn headers(handles: &Handles, handle: u64) -> Option<Vec<(String, String)>> {
    let object = handles.get(handle)?.as_object()?;
    if object.len() > MAX_SIGNED_HEADERS {
        return None;
    }
    let header = |(name, value): (&String, &serde_json::Value)| {
        let value = value.as_str()?;
        field_value(value.as_bytes())?;
        Some((header_name(name)?, value.to_owned()))
    };
    let mut headers = object.iter().map(header).collect::<Option<Vec<_>>>()?;
    headers.sort();
    let repeated = headers.windows(2).any(|pair| pair[0].0 == pair[1].0);
    let bytes: usize = headers.iter().map(|(_, value)| value.len()).sum();
    (!repeated && bytes <= MAX_HEADER_BYTES).then_some(headers)
}

fn params<'m>(
    input: Input<'m>,
    fields: &[u64; FIELDS],
    handles: &Handles,
) -> Result<Params<'m>, Instead> {
    let name = |what: &str, at: usize| input.name(what, fields[at], fields[at + 1]);
    let (method, body_hash) = (name("method", METHOD)?, name("body_hash", BODY_HASH)?);
    let uri = input.text("uri", fields[URI], fields[URI + 1])?;
    let graphic = body_hash.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_method(method) || !is_target(uri.as_bytes()) || !graphic {
        return Err(Instead::Nothing);
    }
    Ok(Params {
        access_key: name("access_key", ACCESS_KEY)?,
        secret_key: name("secret_key", SECRET_KEY)?.as_bytes(),
        region: name("region", REGION)?,
        service: name("service", SERVICE)?,
        method,
        uri,
        headers: found(headers(handles, fields[HEADERS_JSON]))?,
        body_hash,
        timestamp_ms: fields[TIMESTAMP_MS],
    })
}

/// Sign, and give back what came of it.
fn signed(call: &mut Call<'_>, sign: impl FnOnce(&Params<'_>) -> Option<String>) -> Reply {
    let input = call.guest.input();
    let fields = fields(input, call.args)?;
    let handles = &call.exchange.handles;
    call.fuel += handles.cost(fields[HEADERS_JSON]);
    let params = params(input, &fields, handles)?;
    let headers: usize = params.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    call.fuel += (params.uri.len() * 4 + headers) as u64 * HASH_FUEL;
    let text = found(sign(&params))?;
    call.guest.text(fields[OUT], fields[OUT + 1], text.as_bytes())
}

pub(crate) fn authorization(call: &mut Call<'_>) -> Reply {
    signed(call, |params| if params.body_hash.is_empty() { None } else { params.authorization() })
}

pub(crate) fn presigned(call: &mut Call<'_>) -> Reply {
    let expires_s = call.args[2];
    signed(call, |params| params.presigned(expires_s))
}
