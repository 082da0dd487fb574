//! From verified functions to machine code, by Cranelift.
//!
//! Each guest function becomes two native ones: an inner one that takes only the arguments it
//! reads, for direct calls, and an entry with all of them, for the host and for indirect calls.
//! Their only link to the world is the address of guest memory: see [`crate::memory`].

use std::mem::offset_of;

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, FuncRef, Function as Ir, InstBuilder as _, MemFlagsData,
    SigRef, Signature, UserExternalName, UserFuncName, types,
};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable as _};
use cranelift_codegen::{Context as Codegen, FinalizedRelocTarget};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

use crate::code::{Code, Compiled};
use crate::error::LoadError;
use crate::limits::NATIVE_MARGIN_BYTES;
use crate::memory::{Context, FRONT_BYTES};
use crate::program::Program;
use crate::translate::translate;

/// Namespace of the inner forms in relocations.
const INNER: u32 = 0;

/// Namespace of what all functions share, and its only member.
const SHARED: u32 = 1;
const REFUEL: u32 = 0;

/// Blocks and instructions of the largest functions that are optimised: the time that it takes
/// grows with the square of the blocks.
const OPTIMISED_BLOCKS: usize = 4 * 1024;
const OPTIMISED_INSTS: usize = 64 * 1024;

/// Native stack of a call besides the frame: return address, saved frame pointer, stack
/// arguments, alignment.
const CALL_BYTES: u32 = 64;

/// Compile all functions of a program.
pub(crate) fn compile(program: &Program) -> Result<Code, LoadError> {
    let mut compiler = Compiler {
        program,
        isa: target("speed")?,
        plain: target("none")?,
        codegen: Codegen::new(),
        frontend: FunctionBuilderContext::new(),
        code: Vec::new(),
        patches: Vec::new(),
    };
    let count = program.functions.len();
    let mut starts = Vec::with_capacity(count);
    let mut functions = Vec::with_capacity(count);
    for index in 0..count {
        let ir = compiler.inner(index);
        let (start, native_bytes) = compiler.emit(ir, &program.functions[index].name)?;
        starts.push(start);
        functions.push(Compiled { entry: None, native_bytes });
    }
    for (index, compiled) in functions.iter_mut().enumerate() {
        if program.is_entry(index) {
            let ir = compiler.entry(index);
            let (start, native_bytes) = compiler.emit(ir, &program.functions[index].name)?;
            compiled.entry = Some(start);
            compiled.native_bytes += native_bytes;
        }
    }
    let ir = compiler.refuel();
    let (refuel, native_bytes) = compiler.emit(ir, "refuel")?;
    debug_assert!(native_bytes as usize <= NATIVE_MARGIN_BYTES);
    compiler.patch(&starts, refuel)?;
    Code::new(&compiler.code, functions)
}

fn target(opt_level: &str) -> Result<OwnedTargetIsa, LoadError> {
    let wrong = |error: &dyn std::fmt::Display| LoadError::System(format!("compiler: {error}"));
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", opt_level),
        // Our own output is checked by tests and fuzzing; at load time the check would cost
        // a tenth.
        ("enable_verifier", "false"),
        ("is_pic", "false"),
        ("unwind_info", "false"),
        // No function has stack slots of its own, and the stack has a guard page.
        ("enable_probestack", "false"),
    ] {
        flags.set(name, value).map_err(|error| wrong(&error))?;
    }
    let builder = cranelift_native::builder().map_err(|error| wrong(&error))?;
    builder.finish(settings::Flags::new(flags)).map_err(|error| wrong(&error))
}

/// A place in the code that calls a function.
struct Patch {
    at: u32,
    kind: Reloc,
    addend: i64,
    callee: UserExternalName,
}

struct Compiler<'a> {
    program: &'a Program,
    isa: OwnedTargetIsa,
    /// The same without optimisation.
    plain: OwnedTargetIsa,
    codegen: Codegen,
    frontend: FunctionBuilderContext,
    code: Vec<u8>,
    patches: Vec<Patch>,
}

impl Compiler<'_> {
    fn inner(&mut self, index: usize) -> Ir {
        let signature = inner_signature(&self.isa, self.program.arguments[index]);
        let name = UserFuncName::user(INNER, index as u32);
        let mut ir = Ir::with_name_signature(name, signature);
        let builder = FunctionBuilder::new(&mut ir, &mut self.frontend);
        translate(self.program, &self.isa, index, builder);
        ir
    }

    /// The form with all arguments: hands on those that the inner one takes.
    fn entry(&mut self, index: usize) -> Ir {
        let mask = self.program.arguments[index];
        let signature = inner_signature(&self.isa, 0b11_1110);
        let mut ir = Ir::with_name_signature(UserFuncName::user(2, index as u32), signature);
        let mut builder = FunctionBuilder::new(&mut ir, &mut self.frontend);
        let block = builder.create_block();
        builder.append_block_params_for_function_params(block);
        builder.switch_to_block(block);
        builder.seal_block(block);
        let params = builder.block_params(block).to_vec();
        let mut args = params[..3].to_vec();
        args.extend((1..=5).filter(|reg| mask & 1 << reg != 0).map(|reg| params[2 + reg]));
        let callee = import(&mut builder, &self.isa, index as u32, mask);
        let call = builder.ins().call(callee, &args);
        let results = builder.inst_results(call).to_vec();
        builder.ins().return_(&results);
        builder.finalize(self.isa.frontend_config());
        ir
    }

    /// Leaves for more fuel with all registers kept, so that loops need not be prepared for it.
    fn refuel(&mut self) -> Ir {
        let mut ir =
            Ir::with_name_signature(UserFuncName::user(SHARED, REFUEL), refuel_signature());
        let mut builder = FunctionBuilder::new(&mut ir, &mut self.frontend);
        let block = builder.create_block();
        builder.append_block_params_for_function_params(block);
        builder.switch_to_block(block);
        builder.seal_block(block);
        let params = builder.block_params(block).to_vec();
        let mut signature = refuel_signature();
        signature.call_conv = self.isa.default_call_conv();
        let signature = builder.import_signature(signature);
        let field = offset_of!(Context, on_fuel) as i32 - FRONT_BYTES as i32;
        let host = builder.ins().load(types::I64, MemFlagsData::trusted(), params[0], field);
        builder.ins().call_indirect(signature, host, &params);
        builder.ins().return_(&[]);
        builder.finalize(self.isa.frontend_config());
        ir
    }

    /// Append the code of a function; returns where it begins and what stack it needs.
    fn emit(&mut self, ir: Ir, name: &str) -> Result<(u32, u32), LoadError> {
        self.codegen.clear();
        let large = ir.dfg.num_blocks() > OPTIMISED_BLOCKS || ir.dfg.num_insts() > OPTIMISED_INSTS;
        let isa = if large { &self.plain } else { &self.isa };
        self.codegen.func = ir;
        if let Err(error) = self.codegen.compile(&**isa, &mut ControlPlane::default()) {
            let why = format!("function {name}: compiler: {}", error.inner);
            return Err(LoadError::System(why));
        }
        let Some(compiled) = self.codegen.compiled_code() else {
            return Err(LoadError::System(format!("function {name}: compiler: no code")));
        };
        let align = self.isa.function_alignment().preferred as usize;
        self.code.resize(self.code.len().next_multiple_of(align), 0);
        let start = self.code.len() as u32;
        self.code.extend_from_slice(compiled.buffer.data());
        let frame = compiled.buffer.frame_layout().map_or(0, |layout| layout.frame_to_fp_offset);
        let names = self.codegen.func.params.user_named_funcs();
        for relocation in compiled.buffer.relocs() {
            let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = relocation.target
            else {
                return Err(LoadError::System(format!(
                    "compiler: a reference to something outside, {:?}",
                    relocation.kind
                )));
            };
            self.patches.push(Patch {
                at: start + relocation.offset,
                kind: relocation.kind,
                addend: relocation.addend,
                callee: names[name].clone(),
            });
        }
        Ok((start, frame + CALL_BYTES))
    }

    fn patch(&mut self, starts: &[u32], refuel: u32) -> Result<(), LoadError> {
        for Patch { at, kind, addend, callee } in &self.patches {
            let start =
                if callee.namespace == INNER { starts[callee.index as usize] } else { refuel };
            let distance = i64::from(start) + addend - i64::from(*at);
            let place = &mut self.code[*at as usize..*at as usize + 4];
            let mut old = [0; 4];
            old.copy_from_slice(place);
            let new = match kind {
                Reloc::X86CallPCRel4 | Reloc::X86PCRel4 => i32::try_from(distance).ok(),
                Reloc::Arm64Call => {
                    let words = distance / 4;
                    let fits = (-(1 << 25)..1 << 25).contains(&words);
                    fits.then(|| i32::from_le_bytes(old) | (words as i32 & 0x03ff_ffff))
                }
                other => return Err(LoadError::System(format!("compiler: relocation {other:?}"))),
            };
            let new = new.ok_or_else(|| LoadError::System("compiler: a call too far".into()))?;
            place.copy_from_slice(&new.to_le_bytes());
        }
        Ok(())
    }
}

/// Memory, fuel, frame pointer and the arguments of `mask`; returns r0 and the fuel left.
pub(crate) fn inner_signature(isa: &OwnedTargetIsa, mask: u16) -> Signature {
    let mut signature = Signature::new(isa.default_call_conv());
    let count = 3 + (mask & 0b11_1110).count_ones() as usize;
    signature.params = vec![AbiParam::new(types::I64); count];
    signature.returns = vec![AbiParam::new(types::I64); 2];
    signature
}

/// Make a function of the program callable from the one that is being built.
pub(crate) fn import(
    builder: &mut FunctionBuilder<'_>,
    isa: &OwnedTargetIsa,
    index: u32,
    mask: u16,
) -> FuncRef {
    let signature = builder.import_signature(inner_signature(isa, mask));
    import_name(builder, signature, UserExternalName { namespace: INNER, index })
}

/// Memory and the slot where the fuel ran out.
fn refuel_signature() -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params = vec![AbiParam::new(types::I64), AbiParam::new(types::I32)];
    signature
}

/// Make `refuel` callable from the function that is being built.
pub(crate) fn import_refuel(builder: &mut FunctionBuilder<'_>) -> FuncRef {
    let signature = builder.import_signature(refuel_signature());
    let name = UserExternalName { namespace: SHARED, index: REFUEL };
    import_name(builder, signature, name)
}

fn import_name(
    builder: &mut FunctionBuilder<'_>,
    signature: SigRef,
    name: UserExternalName,
) -> FuncRef {
    let name = builder.func.declare_imported_user_function(name);
    let name = ExternalName::user(name);
    builder.import_function(ExtFuncData { name, signature, colocated: true, patchable: false })
}
