//! Bodies of helpers, by the groups of the table.

pub(crate) mod aws;
pub(crate) mod basics;
pub(crate) mod calls;
pub(crate) mod crypto;
pub(crate) mod encoding;
pub(crate) mod fetch;
pub(crate) mod hook;
pub(crate) mod json;
pub(crate) mod limit;
pub(crate) mod memory;
pub(crate) mod meta;
pub(crate) mod oidc;
pub(crate) mod request;
pub(crate) mod respond;
pub(crate) mod rewrite;
