//! What CPython knows of a character: properties and mappings of the Unicode Character Database.
//!
//! All of them are of one version of it, which the standard library's need not be.

use std::borrow::Cow;

use icu_casemap::{CaseMapper, CaseMapperBorrowed};
use icu_locale_core::LanguageIdentifier;
use icu_properties::props::{
    CaseIgnorable, Cased, GeneralCategory, Lowercase, NumericType, Uppercase, XidContinue, XidStart,
};
use icu_properties::{CodePointMapData, CodePointSetData};

const MAPPER: CaseMapperBorrowed<'static> = CaseMapper::new();

fn category(point: u32) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get32(point)
}

fn numeric(point: u32) -> NumericType {
    CodePointMapData::<NumericType>::new().get32(point)
}

/// `str.isalpha`.
pub(crate) fn is_alpha(point: u32) -> bool {
    use GeneralCategory as C;
    matches!(
        category(point),
        C::UppercaseLetter
            | C::LowercaseLetter
            | C::TitlecaseLetter
            | C::ModifierLetter
            | C::OtherLetter
    )
}

/// `str.isdecimal`.
pub(crate) fn is_decimal(point: u32) -> bool {
    numeric(point) == NumericType::Decimal
}

/// `str.isdigit`.
pub(crate) fn is_digit(point: u32) -> bool {
    matches!(numeric(point), NumericType::Decimal | NumericType::Digit)
}

/// `str.isnumeric`.
pub(crate) fn is_numeric(point: u32) -> bool {
    numeric(point) != NumericType::None
}

/// `str.isalnum`.
pub(crate) fn is_alnum(point: u32) -> bool {
    is_alpha(point) || is_numeric(point)
}

/// `str.isspace`.
pub(crate) fn is_space(point: u32) -> bool {
    matches!(
        point,
        0x09..=0x0d | 0x1c..=0x20 | 0x85 | 0xa0 | 0x1680 | 0x2000..=0x200a | 0x2028 | 0x2029
            | 0x202f | 0x205f | 0x3000
    )
}

/// `str.isprintable`.
pub(crate) fn is_printable(point: u32) -> bool {
    use GeneralCategory as C;
    if point < 0x7f {
        return point >= 0x20;
    }
    !matches!(
        category(point),
        C::Control
            | C::Format
            | C::Surrogate
            | C::PrivateUse
            | C::Unassigned
            | C::LineSeparator
            | C::ParagraphSeparator
            | C::SpaceSeparator
    )
}

/// Whether an identifier may begin with it; the underscore is no case of its own for Unicode.
pub(crate) fn begins_identifier(point: u32) -> bool {
    point == u32::from('_') || CodePointSetData::new::<XidStart>().contains32(point)
}

/// Whether an identifier may have it elsewhere.
pub(crate) fn continues_identifier(point: u32) -> bool {
    CodePointSetData::new::<XidContinue>().contains32(point)
}

pub(crate) fn is_upper(point: u32) -> bool {
    CodePointSetData::new::<Uppercase>().contains32(point)
}

pub(crate) fn is_lower(point: u32) -> bool {
    CodePointSetData::new::<Lowercase>().contains32(point)
}

pub(crate) fn is_title(point: u32) -> bool {
    category(point) == GeneralCategory::TitlecaseLetter
}

pub(crate) fn is_cased(point: u32) -> bool {
    CodePointSetData::new::<Cased>().contains32(point)
}

pub(crate) fn is_case_ignorable(point: u32) -> bool {
    CodePointSetData::new::<CaseIgnorable>().contains32(point)
}

/// The value of a decimal digit.
pub(crate) fn decimal(point: u32) -> Option<u32> {
    if point < 0x80 {
        return char::from_u32(point)?.to_digit(10);
    }
    if !is_decimal(point) {
        return None;
    }
    // Digits stand in tens from zero on, several tens perhaps next to each other.
    let before = (0..point).rev().take_while(|point| is_decimal(*point)).count();
    Some(before as u32 % 10)
}

/// Give each character of what one is mapped to; a lone surrogate is left alone.
fn mapped(point: u32, mapping: impl Fn(&str) -> Cow<'_, str>, out: &mut dyn FnMut(u32)) {
    match char::from_u32(point) {
        Some(letter) => {
            let text = mapping(letter.encode_utf8(&mut [0; 4])).into_owned();
            text.chars().for_each(|letter| out(letter.into()));
        }
        None => out(point),
    }
}

/// Give each character of a full mapping to upper case.
pub(crate) fn upper(point: u32, out: &mut dyn FnMut(u32)) {
    mapped(point, |text| MAPPER.uppercase_to_string(text, &LanguageIdentifier::UNKNOWN), out);
}

/// Give each character of a full mapping to lower case, without regard to what is around it.
pub(crate) fn lower(point: u32, out: &mut dyn FnMut(u32)) {
    mapped(point, |text| MAPPER.lowercase_to_string(text, &LanguageIdentifier::UNKNOWN), out);
}

/// Give each character of a full mapping to title case.
pub(crate) fn title(point: u32, out: &mut dyn FnMut(u32)) {
    let root = &LanguageIdentifier::UNKNOWN;
    mapped(
        point,
        |text| {
            MAPPER.titlecase_segment_with_only_case_data_to_string(text, root, Default::default())
        },
        out,
    );
}

/// Give each character of a full case folding.
pub(crate) fn fold(point: u32, out: &mut dyn FnMut(u32)) {
    mapped(point, |text| MAPPER.fold_string(text), out);
}
