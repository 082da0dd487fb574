//! Capabilities and the way back to them.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

/// What root has beyond others where files are concerned. Who serves as root has a site that needs
/// it, or knows no better; taking it away would only look like missing files.
const FILE_ACCESS: CapabilitySet =
    CapabilitySet::DAC_OVERRIDE.union(CapabilitySet::DAC_READ_SEARCH);

/// Capabilities that kernels may have: more than are named today.
const MAX_CAPABILITIES: u32 = 64;

/// No program that is executed from here on can get a capability. Does nothing without the
/// capability that it takes, which is the usual case.
pub fn drop_bounding_set() -> io::Result<()> {
    for number in 0..MAX_CAPABILITIES {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // The kernel knows no more, or we may not.
            Err(Errno::INVAL | Errno::PERM) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Give up all capabilities, but for access to files when that is to be kept, and the possibility
/// to gain any by executing a program.
pub fn give_up_privileges(keep_file_access: bool) -> io::Result<()> {
    set_no_new_privs(true)?;
    match clear_ambient_capability_set() {
        // Kernels before 4.3 have no such set.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    let now = rustix::thread::capabilities(None)?;
    let kept = if keep_file_access { FILE_ACCESS & now.permitted } else { CapabilitySet::empty() };
    let sets = CapabilitySets {
        effective: kept & now.effective,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    // A filter from outside may forbid even to give up nothing.
    if sets != now {
        set_capabilities(None, sets)?;
    }
    Ok(())
}
