//! System calls that are refused: one table, from which a filter for the kernel is made.
//!
//! A list of what is forbidden rather than of what is allowed. What a server needs depends on the
//! C library, its version, the processor and on what Python imports; a call that was forgotten in
//! a list of allowed ones is a server that dies on somebody else's machine. Calls that are newer
//! than this table do not exist for the process, so the list does not age into a hole.

use libc::c_long;
use seccompiler::{apply_filter_all_threads, sock_filter};

/// Whether other programs may be executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commands {
    /// None.
    Forbidden,
    /// A compiler, say.
    Allowed,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The process ends: nothing here makes such a call but who has broken into it.
    Kill,
    /// It fails with this error, as it does for who may not or where the kernel lacks it: libraries
    /// ask for these and do without.
    Fail(i32),
    /// It fails with this error when a flag of this mask is set in an argument.
    FailFlags { argument: u32, mask: u32, errno: i32 },
    /// It fails with this error when an argument is one of these.
    FailValues { argument: u32, values: &'static [u32], errno: i32 },
    /// It fails with this error unless an argument is one of these.
    FailOthers { argument: u32, values: &'static [u32], errno: i32 },
}

use Verdict::{Fail, FailFlags, FailOthers, FailValues, Kill};

const NO: Verdict = Fail(libc::EPERM);

const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET)
    .cast_unsigned();

/// The C library asks the kernel for its addresses over netlink when it looks up names.
const SOCKETS: &[u32] = &[
    libc::AF_UNIX.cast_unsigned(),
    libc::AF_INET.cast_unsigned(),
    libc::AF_INET6.cast_unsigned(),
    libc::AF_NETLINK.cast_unsigned(),
];

/// They type into the terminal that the server was started from.
const TYPING: &[u32] = &[0x5412, 0x541c]; // TIOCSTI, TIOCLINUX

/// A name that the libc crate lacks for musl on aarch64.
#[cfg(target_arch = "aarch64")]
const SYS_KEXEC_FILE_LOAD: c_long = 294;
#[cfg(not(target_arch = "aarch64"))]
const SYS_KEXEC_FILE_LOAD: c_long = libc::SYS_kexec_file_load;

/// The table.
const ROWS: &[(c_long, Verdict)] = &[
    // Into other processes.
    (libc::SYS_ptrace, Kill),
    (libc::SYS_process_vm_readv, Kill),
    (libc::SYS_process_vm_writev, Kill),
    (libc::SYS_process_madvise, Kill),
    (libc::SYS_pidfd_getfd, Kill),
    (libc::SYS_kcmp, Kill),
    // Into the kernel.
    (libc::SYS_bpf, Kill),
    (libc::SYS_init_module, Kill),
    (libc::SYS_finit_module, Kill),
    (libc::SYS_delete_module, Kill),
    (libc::SYS_kexec_load, Kill),
    (SYS_KEXEC_FILE_LOAD, Kill),
    (libc::SYS_perf_event_open, Kill),
    (libc::SYS_userfaultfd, Kill),
    (libc::SYS_reboot, Kill),
    (libc::SYS_swapon, Kill),
    (libc::SYS_swapoff, Kill),
    (libc::SYS_acct, Kill),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_iopl, Kill),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_ioperm, Kill),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_modify_ldt, Kill),
    // Out of what it sees of the file system.
    (libc::SYS_mount, Kill),
    (libc::SYS_umount2, Kill),
    (libc::SYS_pivot_root, Kill),
    (libc::SYS_chroot, Kill),
    (libc::SYS_open_tree, Kill),
    (libc::SYS_move_mount, Kill),
    (libc::SYS_fsopen, Kill),
    (libc::SYS_fsconfig, Kill),
    (libc::SYS_fsmount, Kill),
    (libc::SYS_fspick, Kill),
    (libc::SYS_mount_setattr, Kill),
    (libc::SYS_open_by_handle_at, Kill),
    (libc::SYS_unshare, Kill),
    (libc::SYS_setns, Kill),
    // At keys of others.
    (libc::SYS_add_key, Kill),
    (libc::SYS_request_key, Kill),
    (libc::SYS_keyctl, Kill),
    // At the settings of the machine.
    (libc::SYS_settimeofday, NO),
    (libc::SYS_clock_settime, NO),
    (libc::SYS_clock_adjtime, NO),
    (libc::SYS_adjtimex, NO),
    (libc::SYS_sethostname, NO),
    (libc::SYS_setdomainname, NO),
    (libc::SYS_quotactl, NO),
    (libc::SYS_quotactl_fd, NO),
    (libc::SYS_syslog, NO),
    (libc::SYS_vhangup, NO),
    (libc::SYS_personality, NO),
    (libc::SYS_nfsservctl, NO),
    (libc::SYS_lookup_dcookie, NO),
    // Large and little used parts of the kernel, with a history.
    (libc::SYS_io_uring_setup, NO),
    (libc::SYS_io_uring_enter, NO),
    (libc::SYS_io_uring_register, NO),
    (libc::SYS_name_to_handle_at, NO),
    (libc::SYS_fanotify_init, NO),
    (libc::SYS_move_pages, NO),
    (libc::SYS_migrate_pages, NO),
    (libc::SYS_remap_file_pages, NO),
    (libc::SYS_vmsplice, NO),
    // Its flags lie in memory, where a filter can't look: the C library falls back to clone.
    (libc::SYS_clone3, Fail(libc::ENOSYS)),
    (libc::SYS_clone, FailFlags { argument: 0, mask: NAMESPACES, errno: libc::EPERM }),
    (libc::SYS_socket, FailOthers { argument: 0, values: SOCKETS, errno: libc::EAFNOSUPPORT }),
    (libc::SYS_ioctl, FailValues { argument: 1, values: TYPING, errno: libc::EPERM }),
];

const COMMANDS: &[(c_long, Verdict)] = &[(libc::SYS_execve, NO), (libc::SYS_execveat, NO)];

/// The newest call of which it is known that it may be let through: `mseal`, Linux 6.10.
const LAST: u32 = 462;

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: Option<u32> = Some(0xc000_003e);
#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
const ARCHITECTURE: Option<u32> = Some(0xc000_00b7);
#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little"))))]
const ARCHITECTURE: Option<u32> = None;

/// Refuse the calls of the table in all threads of the process from now on; the error says why the
/// kernel does not.
pub fn forbid_calls(commands: Commands) -> Result<(), String> {
    let Some(architecture) = ARCHITECTURE else {
        return Err("no table of calls for this processor".to_owned());
    };
    let filter = program(architecture, commands).ok_or("the table of calls is too long")?;
    apply_filter_all_threads(&filter).map_err(|error| error.to_string())
}

// Classic BPF: what the kernel takes for a filter.
const LOAD: u16 = 0x20;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_NOT_LESS: u16 = 0x35;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;

const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
/// Its lower half; the calls that are looked into take no more.
const fn argument_at(argument: u32) -> u32 {
    16 + 8 * argument
}

const ALLOW: u32 = 0x7fff_0000;
const KILL: u32 = 0x8000_0000;
const fn errno(number: i32) -> u32 {
    0x0005_0000 | number.cast_unsigned()
}

const fn insn(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

fn program(architecture: u32, commands: Commands) -> Option<Vec<sock_filter>> {
    let mut rows: Vec<(u32, Verdict)> = Vec::new();
    let more = if commands == Commands::Forbidden { COMMANDS } else { &[] };
    for &(number, verdict) in ROWS.iter().chain(more) {
        rows.push((u32::try_from(number).ok()?, verdict));
    }
    rows.sort_unstable_by_key(|row| row.0);
    let mut filter = vec![
        insn(LOAD, ARCHITECTURE_AT, 0, 0),
        // Numbers of another architecture mean other calls.
        insn(JUMP_EQUAL, architecture, 1, 0),
        insn(RETURN, KILL, 0, 0),
        insn(LOAD, NUMBER_AT, 0, 0),
        // Newer ones, and those of x32, whose numbers are larger still.
        insn(JUMP_GREATER, LAST, 0, 1),
        insn(RETURN, errno(libc::ENOSYS), 0, 0),
    ];
    filter.append(&mut search(&rows)?);
    Some(filter)
}

/// Find the number by halving: kernels before 5.11 run all of this for each call. Later ones know
/// from looking at the filter once which calls it lets through whatever their arguments.
fn search(rows: &[(u32, Verdict)]) -> Option<Vec<sock_filter>> {
    if rows.len() <= 2 {
        let mut code = Vec::new();
        for &(number, verdict) in rows {
            let mut answer = answer(verdict)?;
            code.push(insn(JUMP_EQUAL, number, 0, u8::try_from(answer.len()).ok()?));
            code.append(&mut answer);
        }
        code.push(insn(RETURN, ALLOW, 0, 0));
        return Some(code);
    }
    let (low, high) = rows.split_at(rows.len() / 2);
    let (mut below, mut above) = (search(low)?, search(high)?);
    let skipped = u8::try_from(below.len()).ok()?;
    let mut code = vec![insn(JUMP_NOT_LESS, high.first()?.0, skipped, 0)];
    code.append(&mut below);
    code.append(&mut above);
    Some(code)
}

fn answer(verdict: Verdict) -> Option<Vec<sock_filter>> {
    let end = |result| insn(RETURN, result, 0, 0);
    let among = |argument, values: &[u32], hit, miss| {
        let mut code = vec![insn(LOAD, argument_at(argument), 0, 0)];
        for (at, &value) in values.iter().enumerate() {
            let rest = u8::try_from(values.len() - at).ok()?;
            code.push(insn(JUMP_EQUAL, value, rest, 0));
        }
        code.extend([end(miss), end(hit)]);
        Some(code)
    };
    match verdict {
        Kill => Some(vec![end(KILL)]),
        Fail(number) => Some(vec![end(errno(number))]),
        FailFlags { argument, mask, errno: number } => Some(vec![
            insn(LOAD, argument_at(argument), 0, 0),
            insn(JUMP_ANY_BIT, mask, 0, 1),
            end(errno(number)),
            end(ALLOW),
        ]),
        FailValues { argument, values, errno: number } => {
            among(argument, values, errno(number), ALLOW)
        }
        FailOthers { argument, values, errno: number } => {
            among(argument, values, ALLOW, errno(number))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const HERE: u32 = 0xc000_003e;

    struct Call {
        number: u32,
        architecture: u32,
        arguments: [u64; 6],
    }

    /// What the kernel would do.
    fn run(filter: &[sock_filter], call: &Call) -> u32 {
        let mut data = [call.number, call.architecture, 0, 0].to_vec();
        for argument in call.arguments {
            data.extend([argument as u32, (argument >> 32) as u32]);
        }
        let (mut at, mut a) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = filter[at];
            at += 1;
            let jump = match code {
                LOAD => {
                    a = data[k as usize / 4];
                    continue;
                }
                RETURN => return k,
                JUMP_EQUAL => a == k,
                JUMP_GREATER => a > k,
                JUMP_NOT_LESS => a >= k,
                JUMP_ANY_BIT => a & k != 0,
                other => panic!("{other:#x}"),
            };
            at += usize::from(if jump { jt } else { jf });
        }
    }

    fn verdict(commands: Commands, number: c_long, arguments: &[u64]) -> u32 {
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        let number = u32::try_from(number).unwrap();
        let call = Call { number, architecture: HERE, arguments: all };
        run(&program(HERE, commands).unwrap(), &call)
    }

    #[test]
    fn every_row() {
        let mut seen = HashSet::new();
        for &(number, row) in ROWS {
            assert!(seen.insert(number), "{number} stands twice");
            assert!(number <= c_long::from(LAST));
            let found = verdict(Commands::Allowed, number, &[]);
            match row {
                Kill => assert_eq!(found, KILL),
                Fail(number) => assert_eq!(found, errno(number)),
                FailFlags { .. } | FailValues { .. } => assert_eq!(found, ALLOW),
                FailOthers { errno: number, .. } => assert_eq!(found, errno(number)),
            }
        }
    }

    #[test]
    fn all_others_are_allowed() {
        let rows: HashSet<_> = ROWS.iter().chain(COMMANDS).map(|row| row.0).collect();
        for number in (0..=c_long::from(LAST)).filter(|number| !rows.contains(number)) {
            assert_eq!(verdict(Commands::Forbidden, number, &[]), ALLOW, "{number}");
        }
    }

    #[test]
    fn commands() {
        for call in [libc::SYS_execve, libc::SYS_execveat] {
            assert_eq!(verdict(Commands::Forbidden, call, &[]), errno(libc::EPERM));
            assert_eq!(verdict(Commands::Allowed, call, &[]), ALLOW);
        }
    }

    #[test]
    fn arguments() {
        let verdict = |call, arguments: &[u64]| verdict(Commands::Forbidden, call, arguments);
        // As pthread_create and fork have them.
        for flags in [0x003d_0f00, 0x0120_0011] {
            assert_eq!(verdict(libc::SYS_clone, &[flags]), ALLOW);
        }
        assert_eq!(verdict(libc::SYS_clone, &[0x1000_0011]), errno(libc::EPERM));
        for family in [1, 2, 10, 16] {
            assert_eq!(verdict(libc::SYS_socket, &[family]), ALLOW);
        }
        for family in [0, 17, 38, 40] {
            assert_eq!(verdict(libc::SYS_socket, &[family]), errno(libc::EAFNOSUPPORT));
        }
        // The kernel looks at no more than the lower half either.
        assert_eq!(verdict(libc::SYS_ioctl, &[0, 0x1_0000_5412]), errno(libc::EPERM));
        assert_eq!(verdict(libc::SYS_ioctl, &[0x5412, 0x5413]), ALLOW);
    }

    #[test]
    fn the_kernel_takes_it() {
        for commands in [Commands::Allowed, Commands::Forbidden] {
            let filter = program(HERE, commands).unwrap();
            assert!(filter.len() < 4096, "{} instructions", filter.len());
            for (at, insn) in filter.iter().enumerate() {
                if insn.code != LOAD && insn.code != RETURN {
                    assert!(at + 1 + usize::from(insn.jt.max(insn.jf)) < filter.len());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn other_architectures_end(number: u32, architecture: u32, arguments: [u64; 6]) {
            prop_assume!(architecture != HERE);
            let filter = program(HERE, Commands::Allowed).unwrap();
            prop_assert_eq!(run(&filter, &Call { number, architecture, arguments }), KILL);
        }

        #[test]
        fn newer_calls_do_not_exist(number in LAST + 1.., arguments: [u64; 6]) {
            let filter = program(HERE, Commands::Allowed).unwrap();
            let call = Call { number, architecture: HERE, arguments };
            prop_assert_eq!(run(&filter, &call), errno(libc::ENOSYS));
        }
    }
}
