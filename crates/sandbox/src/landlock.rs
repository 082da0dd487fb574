//! Landlock: what is not granted does not exist for this process.

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};

/// The newest rules that are known here; a kernel with fewer enforces those it has. Version 9 would
/// forbid Unix sockets by their path, among which may be an upstream of the site.
const NEWEST: ABI = ABI::V8;

/// What is allowed with a path and all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Read files and list directories.
    Read,
    /// That, and execute programs.
    Run,
    /// Read and write what is there.
    Write,
    /// Make files and write to them.
    Log,
    /// Remove files and sockets.
    Unlink,
    /// Remove empty directories.
    RemoveDirectory,
    /// All that a program does with its temporary files.
    Scratch,
}

impl Grant {
    /// The name of each, for those who configure.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("read", Self::Read),
        ("run", Self::Run),
        ("write", Self::Write),
        ("log", Self::Log),
        ("unlink", Self::Unlink),
        ("rmdir", Self::RemoveDirectory),
        ("scratch", Self::Scratch),
    ];

    fn access(self) -> BitFlags<AccessFs> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        match self {
            Self::Read => read,
            Self::Run => read | AccessFs::Execute,
            Self::Write => AccessFs::ReadFile | AccessFs::WriteFile,
            Self::Log => AccessFs::WriteFile | AccessFs::MakeReg,
            Self::Unlink => AccessFs::RemoveFile.into(),
            Self::RemoveDirectory => AccessFs::RemoveDir.into(),
            Self::Scratch => {
                let make = AccessFs::MakeReg | AccessFs::MakeDir | AccessFs::MakeSym;
                let remove = AccessFs::RemoveFile | AccessFs::RemoveDir | AccessFs::Refer;
                read | AccessFs::WriteFile | AccessFs::Truncate | make | remove
            }
        }
    }
}

/// Allow what is granted and nothing else; returns the version of the rules that the kernel
/// enforces, or why it enforces none. What does not exist now can't be granted and is left out.
///
/// Beside files, the process gives up listening on further TCP ports, and reaching others by
/// signals and abstract sockets, where the kernel has rules for these.
pub fn forbid_files<P: AsRef<Path>>(grants: &[(P, Grant)]) -> Result<u32, String> {
    let restrict = || {
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::BindTcp)?
            .scope(Scope::from_all(NEWEST))?
            .create()?;
        for (path, grant) in grants {
            rules = rules.add_rules(path_beneath_rules([path.as_ref()], grant.access()))?;
        }
        rules.restrict_self()
    };
    let status = restrict().map_err(|error| error.to_string())?;
    match status.landlock {
        LandlockStatus::NotImplemented => Err("not in this kernel".to_owned()),
        LandlockStatus::NotEnabled => Err("not enabled in this kernel".to_owned()),
        LandlockStatus::Available { .. } if status.ruleset == RulesetStatus::NotEnforced => {
            Err("not enforced by this kernel".to_owned())
        }
        LandlockStatus::Available { effective_abi, .. } => Ok(effective_abi as u32),
    }
}
