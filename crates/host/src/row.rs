//! A row of the helper table.

use zeroserve_vm::{Helper, HelperTable};

use crate::guest::Body;
use crate::python::{FETCH, MODULES, TEXT};
use crate::table::HELPERS;

/// One helper: everything that is known of it.
#[derive(Debug)]
pub struct Row {
    /// What compiled programs call it by; fixed forever.
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

/// The tables, and the number of the first row of each; rows stand in the order of their numbers.
const TABLES: [(u32, &[Row]); 4] = [(1, HELPERS), (1001, TEXT), (1201, MODULES), (1340, FETCH)];

/// All rows: those for scripts in C, then those for compiled Python.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    TABLES.into_iter().flat_map(|(_, rows)| rows)
}

/// The row of a number.
pub fn row(number: u32) -> Option<&'static Row> {
    let found = TABLES.iter().rev().find(|(first, _)| *first <= number);
    found.and_then(|(first, rows)| rows.get((number - first) as usize))
}

/// The rows as the loader of programs wants them.
pub fn table() -> HelperTable {
    HelperTable::new(rows().map(|row| Helper {
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

/// Rows for compiled Python: a word of 64 bits for each parameter and for the result.
macro_rules! python_rows {
    ($($number:literal $name:literal, $parameters:literal, $fuel:literal, $body:path,
        $doc:literal;)*) => {
        &[$($crate::row::Row {
            number: $number,
            name: $name,
            arity: $crate::row::arity($parameters),
            fuel: $fuel,
            result: "zs_u64",
            parameters: $parameters,
            group: "python",
            doc: $doc,
            body: $body,
        }),*]
    };
}

pub(crate) use python_rows;
