//! A writer of relocatable eBPF objects, honest ones and others: every field can be set.

/// Section flags: writable, loaded, code.
pub const W: u64 = 1;
pub const A: u64 = 2;
pub const X: u64 = 4;

/// Section types.
pub const PROGBITS: u32 = 1;
pub const NOBITS: u32 = 8;
pub const REL: u32 = 9;
pub const RELA: u32 = 4;

/// Symbol types, all global.
pub const OBJECT: u8 = 0x11;
pub const FUNCTION: u8 = 0x12;
pub const NO_TYPE: u8 = 0x10;
/// Local, of a section.
pub const SECTION: u8 = 0x03;

/// Kinds of relocation.
pub const R_64_64: u32 = 1;
pub const R_64_ABS64: u32 = 2;
pub const R_64_ABS32: u32 = 3;
pub const R_64_32: u32 = 10;

#[derive(Clone, Debug, Default)]
pub struct Section {
    pub name: String,
    pub kind: u32,
    pub flags: u64,
    pub data: Vec<u8>,
    /// Instead of the length of the data.
    pub size: Option<u64>,
    pub align: u64,
    pub link: u32,
    pub info: u32,
    pub entry: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Symbol {
    pub name: String,
    pub info: u8,
    /// Index of its section: 0 for what is not defined.
    pub section: u16,
    pub value: u64,
}

#[derive(Clone, Debug)]
pub struct Elf {
    pub sections: Vec<Section>,
    pub symbols: Vec<Symbol>,
    /// Section that is relocated, offset, symbol, kind.
    pub relocations: Vec<(u32, u64, u32, u32)>,
    pub machine: u16,
    pub class: u8,
    pub order: u8,
    pub kind: u16,
}

impl Default for Elf {
    /// With the null section and the null symbol.
    fn default() -> Self {
        let (sections, symbols) = (vec![Section::default()], vec![Symbol::default()]);
        let relocations = Vec::new();
        Self { sections, symbols, relocations, machine: 247, class: 2, order: 1, kind: 1 }
    }
}

impl Elf {
    /// Code in `.text`, the first section, one function at its start.
    pub fn with_code(code: &[u8]) -> Self {
        let mut elf = Self::default();
        elf.section(".text", PROGBITS, A | X, code);
        elf.symbol("main", FUNCTION, 1, 0);
        elf
    }

    /// Returns its index.
    pub fn section(&mut self, name: &str, kind: u32, flags: u64, data: &[u8]) -> u16 {
        let (name, data) = (name.to_owned(), data.to_vec());
        self.sections.push(Section { name, kind, flags, data, align: 8, ..Section::default() });
        self.sections.len() as u16 - 1
    }

    /// Returns its index.
    pub fn symbol(&mut self, name: &str, info: u8, section: u16, value: u64) -> u32 {
        self.symbols.push(Symbol { name: name.into(), info, section, value });
        self.symbols.len() as u32 - 1
    }

    pub fn relocate(&mut self, section: u16, offset: u64, symbol: u32, kind: u32) {
        self.relocations.push((section.into(), offset, symbol, kind));
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut sections = self.sections.clone();
        let mut strings = vec![0];
        let mut symbols = Vec::new();
        for symbol in &self.symbols {
            symbols.extend(name(&mut strings, &symbol.name).to_le_bytes());
            symbols.extend([symbol.info, 0]);
            symbols.extend(symbol.section.to_le_bytes());
            symbols.extend(symbol.value.to_le_bytes());
            symbols.extend(0_u64.to_le_bytes());
        }
        let table = sections.len() as u32;
        let symbols = Section { link: table + 1, info: 1, entry: 24, ..of(".symtab", 2, symbols) };
        sections.extend([symbols, of(".strtab", 3, strings)]);
        let mut relocated: Vec<u32> =
            self.relocations.iter().map(|(section, ..)| *section).collect();
        relocated.sort_unstable();
        relocated.dedup();
        for section in relocated {
            let mut data = Vec::new();
            for (_, offset, symbol, kind) in self.relocations.iter().filter(|r| r.0 == section) {
                data.extend(offset.to_le_bytes());
                data.extend((u64::from(*symbol) << 32 | u64::from(*kind)).to_le_bytes());
            }
            sections.push(Section {
                link: table,
                info: section,
                entry: 16,
                ..of(".rel", REL, data)
            });
        }
        sections.push(of(".shstrtab", 3, Vec::new()));
        self.file(sections)
    }

    fn file(&self, mut sections: Vec<Section>) -> Vec<u8> {
        const HEADER: usize = 64;
        let mut names = vec![0];
        let offsets: Vec<u32> = sections.iter().map(|s| name(&mut names, &s.name)).collect();
        let last = sections.len() - 1;
        sections[last].data = names;
        let mut out = vec![0; HEADER];
        let mut headers = Vec::new();
        for (section, name) in sections.iter().zip(offsets) {
            out.resize(out.len().next_multiple_of(8), 0);
            let offset = out.len() as u64;
            out.extend(&section.data);
            headers.extend(name.to_le_bytes());
            headers.extend(section.kind.to_le_bytes());
            headers.extend(section.flags.to_le_bytes());
            headers.extend(0_u64.to_le_bytes());
            headers.extend(offset.to_le_bytes());
            headers.extend(section.size.unwrap_or(section.data.len() as u64).to_le_bytes());
            headers.extend(section.link.to_le_bytes());
            headers.extend(section.info.to_le_bytes());
            headers.extend(section.align.to_le_bytes());
            headers.extend(section.entry.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(8), 0);
        let table = out.len() as u64;
        out.extend(headers);
        let mut header = vec![0x7f, b'E', b'L', b'F', self.class, self.order, 1];
        header.resize(16, 0);
        header.extend(self.kind.to_le_bytes());
        header.extend(self.machine.to_le_bytes());
        header.extend(1_u32.to_le_bytes());
        header.extend([0; 16]);
        header.extend(table.to_le_bytes());
        header.extend(0_u32.to_le_bytes());
        for half in [HEADER as u16, 0, 0, HEADER as u16, sections.len() as u16, last as u16] {
            header.extend(half.to_le_bytes());
        }
        out[..HEADER].copy_from_slice(&header);
        out
    }
}

fn of(name: &str, kind: u32, data: Vec<u8>) -> Section {
    Section { name: name.into(), kind, data, align: 8, ..Section::default() }
}

fn name(strings: &mut Vec<u8>, name: &str) -> u32 {
    let at = strings.len() as u32;
    strings.extend(name.as_bytes());
    strings.push(0);
    at
}
