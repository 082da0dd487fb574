"""The process that ``backend.py`` starts; see there. Run as a file, it imports llvmlite only."""

import json
import os
import sys
from typing import Any

STACK_BYTES = 32768


def _serve() -> None:
    import llvmlite.binding as llvm

    # LLVM copies the lines of source files that it finds into objects: there it finds none, so
    # that objects are the same bytes wherever they are made.
    os.chdir("/")
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    llvm.set_option("", f"-bpf-stack-size={STACK_BYTES}")
    target = llvm.Target.from_triple("bpfel")
    machine = target.create_target_machine(
        cpu="v4", features="+allows-misaligned-mem-access", opt=2, reloc="default"
    )
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while line := stdin.readline():
        request: dict[str, Any] = json.loads(line)
        text = stdin.read(request["bytes"]).decode("utf-8", "surrogatepass")
        try:
            result = _compile(llvm, machine, text, request["what"])
        except RuntimeError as error:
            stdout.write(json.dumps({"error": str(error)}).encode() + b"\n")
        else:
            stdout.write(json.dumps({"bytes": len(result)}).encode() + b"\n" + result)
        stdout.flush()


def _compile(llvm: Any, machine: Any, text: str, what: str) -> bytes:
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_unrolling = False
    options.loop_vectorization = False
    options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    if what == "llvm":
        return str(module).encode()
    if what == "asm":
        return bytes(machine.emit_assembly(module).encode())
    return bytes(machine.emit_object(module))


if __name__ == "__main__":
    _serve()
