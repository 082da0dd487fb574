//! A row of the helper table.

use zeroserve_vm::{Helper, HelperTable};

use crate::guest::Body;

/// One helper: everything that is known of it.
#[derive(Debug)]
pub struct Row {
    /// What compiled programs call it by; fixed forever, counted from 1.
    pub number: u32,
    /// The symbol that scripts refer to.
    pub name: &'static str,
    /// How many registers it takes.
    pub arity: u8,
    /// Fuel of a call; what grows with its input is charged on top.
    pub fuel: u32,
    /// Its result's type in C.
    pub result: &'static str,
    /// Its parameters in C.
    pub parameters: &'static str,
    /// Under which heading it stands in the header and the documentation.
    pub group: &'static str,
    /// What it does, for those who write scripts; lines end where comments should.
    pub doc: &'static str,
    pub(crate) body: Body,
}

/// The rows as the loader of programs wants them.
pub fn table() -> HelperTable {
    HelperTable::new(crate::HELPERS.iter().map(|row| Helper {
        number: row.number,
        name: row.name,
        arity: row.arity,
        fuel: row.fuel,
    }))
}

/// How many registers C parameters take: each has one, there are no aggregates.
pub(crate) const fn arity(parameters: &str) -> u8 {
    let bytes = parameters.as_bytes();
    if let b"void" = bytes {
        return 0;
    }
    let mut count = 1;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b',' {
            count += 1;
        }
        at += 1;
    }
    count
}
