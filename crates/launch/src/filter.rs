//! The seccomp filter of every command: `ioctl` cannot push characters into the caller's terminal, and there are no
//! keyrings.
//!
//! Keyrings have no namespace: whoever has the caller's session keyring reads the keys in it. `add_key`, `request_key`
//! and `keyctl` do not exist inside (`ENOSYS`). A keyring of the launch's own was rejected: each counts against the
//! user's quota (`kernel.keys.maxkeys`, 200), and is given back late, so that many launches in a row failed.
//!
//! `TIOCSTI` and `TIOCLINUX` are answered with `EPERM`, on the native and on the compat architecture, each by its own
//! numbers. Only the low 32 bits of the request are compared, as the kernel uses no others. The x32 numbers of x86_64
//! would be a way around, and do not exist (`ENOSYS`); any other architecture kills the process.

use redpak_sys::rights::Instruction;

/// An architecture as `struct seccomp_data` has it, and its numbers of system calls.
struct Architecture {
    audit: u32,
    ioctl: u32,
    /// `add_key`, `request_key`, `keyctl`.
    keys: [u32; 3],
    /// `ENOSYS` for numbers with this bit.
    foreign_bit: Option<u32>,
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURES: &[Architecture] = &[
    // AUDIT_ARCH_X86_64, with __X32_SYSCALL_BIT
    Architecture { audit: 0xc000_003e, ioctl: 16, keys: [248, 249, 250], foreign_bit: Some(0x4000_0000) },
    // AUDIT_ARCH_I386
    Architecture { audit: 0x4000_0003, ioctl: 54, keys: [286, 287, 288], foreign_bit: None },
];

#[cfg(target_arch = "aarch64")]
const ARCHITECTURES: &[Architecture] = &[
    // AUDIT_ARCH_AARCH64
    Architecture { audit: 0xc000_00b7, ioctl: 29, keys: [217, 218, 219], foreign_bit: None },
    // AUDIT_ARCH_ARM
    Architecture { audit: 0x4000_0028, ioctl: 54, keys: [309, 310, 311], foreign_bit: None },
];

#[cfg(target_arch = "arm")]
const ARCHITECTURES: &[Architecture] = &[
    // AUDIT_ARCH_ARM
    Architecture { audit: 0x4000_0028, ioctl: 54, keys: [309, 310, 311], foreign_bit: None },
];

#[cfg(target_arch = "riscv64")]
const ARCHITECTURES: &[Architecture] = &[
    // AUDIT_ARCH_RISCV64
    Architecture { audit: 0xc000_00f3, ioctl: 29, keys: [217, 218, 219], foreign_bit: None },
];

const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;

const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

// linux/bpf_common.h and linux/seccomp.h
const LOAD_WORD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
const RET_KILL_PROCESS: u32 = 0x8000_0000;
const RET_ERRNO: u32 = 0x0005_0000;
const RET_ALLOW: u32 = 0x7fff_0000;

// Offsets in struct seccomp_data: nr, arch, instruction_pointer, args[6].
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
#[cfg(target_endian = "little")]
const SECOND_ARGUMENT_LOW: u32 = 24;
#[cfg(target_endian = "big")]
const SECOND_ARGUMENT_LOW: u32 = 28;

const fn load(offset: u32) -> Instruction {
    Instruction { code: LOAD_WORD, jump_true: 0, jump_false: 0, operand: offset }
}

const fn skip(code: u16, operand: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction { code, jump_true, jump_false, operand }
}

const fn give(action: u32) -> Instruction {
    Instruction { code: RETURN, jump_true: 0, jump_false: 0, operand: action }
}

/// The program.
pub(crate) fn program() -> Vec<Instruction> {
    let mut program = vec![load(ARCHITECTURE)];
    for Architecture { audit, ioctl, keys, foreign_bit } in ARCHITECTURES {
        let mut block = vec![load(NUMBER)];
        if let Some(bit) = foreign_bit {
            block.extend([skip(JUMP_IF_ANY_BIT, *bit, 0, 1), give(RET_ERRNO | ENOSYS)]);
        }
        block.extend([
            skip(JUMP_IF_EQUAL, keys[0], 2, 0),
            skip(JUMP_IF_EQUAL, keys[1], 1, 0),
            skip(JUMP_IF_EQUAL, keys[2], 0, 1),
            give(RET_ERRNO | ENOSYS),
            skip(JUMP_IF_EQUAL, *ioctl, 1, 0),
            give(RET_ALLOW),
            load(SECOND_ARGUMENT_LOW),
            skip(JUMP_IF_EQUAL, TIOCSTI, 1, 0),
            skip(JUMP_IF_EQUAL, TIOCLINUX, 0, 1),
            give(RET_ERRNO | EPERM),
            give(RET_ALLOW),
        ]);
        program.push(skip(JUMP_IF_EQUAL, *audit, 0, block.len() as u8));
        program.append(&mut block);
    }
    program.push(give(RET_KILL_PROCESS));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the program as the kernel would.
    fn judge(number: u32, architecture: u32, request: u64) -> u32 {
        let program = program();
        let mut accumulator = 0;
        let mut at = 0;
        loop {
            let Instruction { code, jump_true, jump_false, operand } = program[at];
            at += 1;
            let jump = |holds| usize::from(if holds { jump_true } else { jump_false });
            match code {
                LOAD_WORD => {
                    accumulator = match operand {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        SECOND_ARGUMENT_LOW => request as u32,
                        other => panic!("loads {other}"),
                    }
                }
                JUMP_IF_EQUAL => at += jump(accumulator == operand),
                JUMP_IF_ANY_BIT => at += jump(accumulator & operand != 0),
                RETURN => return operand,
                other => panic!("code {other:#x}"),
            }
        }
    }

    #[test]
    fn the_two_requests_are_refused_on_every_architecture() {
        for architecture in ARCHITECTURES {
            let ioctl = |request| judge(architecture.ioctl, architecture.audit, request);
            for request in [u64::from(TIOCSTI), u64::from(TIOCLINUX), 0xdead_beef_0000_5412] {
                assert_eq!(ioctl(request), RET_ERRNO | EPERM, "{request:#x}");
            }
            assert_eq!(ioctl(0x5413), RET_ALLOW);
            for number in architecture.keys {
                assert_eq!(judge(number, architecture.audit, 0), RET_ERRNO | ENOSYS, "{number}");
            }
            let beside = [architecture.keys[0] - 1, architecture.keys[2] + 1];
            assert!(beside.iter().all(|number| judge(*number, architecture.audit, 0) == RET_ALLOW));
            assert_eq!(judge(architecture.ioctl + 1, architecture.audit, u64::from(TIOCSTI)), RET_ALLOW);
            if let Some(bit) = architecture.foreign_bit {
                assert_eq!(judge(bit | 514, architecture.audit, u64::from(TIOCSTI)), RET_ERRNO | ENOSYS);
            }
        }
        assert_eq!(judge(1, 0x1234, 0), RET_KILL_PROCESS);
    }
}
