"""Programs in pods: their process numbers, files, environment and ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from kubelab.engine.config import nodes
from kubelab.engine.network.contract import OUTSIDE, Mount, Program, StartFailed, node, pod

WORKER = nodes()[1]
PATH = "/usr/local/bin:/usr/bin:/bin"
AGNHOST = "kubelab.engine.images.agnhost:main"
PAUSE = "kubelab.engine.images.pause:main"


@pytest.fixture
async def web(lab):
    """A network with one pod, ``web``."""
    await lab.pod("web")
    return lab


async def start(lab, program, place=None, **stdio):
    return await lab.network.start(
        place or pod("web"), program, **{"stdin": None, "stdout": None, "stderr": None} | stdio
    )


# Processes


async def test_a_program_is_process_1_of_its_pod_and_sees_only_its_own(web):
    said = await web.shell("web", "echo $$; ls -d /proc/[0-9]*")
    assert said.split()[:2] == ["1", "/proc/1"]
    assert len(said.split()) <= 4  # the shell, ls and what ls sees of neither


async def test_the_environment_is_exactly_what_was_asked_for(web):
    code, said = await web.output(pod("web"), Program(["/usr/bin/env"], env={"A": "1", "B": "x y"}))
    assert (code, said) == (0, "A=1\nB=x y\n")


async def test_standard_input_output_and_error_are_the_callers(web):
    code, said = await web.output(
        pod("web"), Program(["sh", "-c", "cat; exec >&2; echo err"], env={"PATH": PATH}), b"in\n"
    )
    assert (code, said) == (0, "in\nerr\n")


async def test_no_other_descriptor_is_open_in_a_program(web):
    said = await web.shell("web", "ls /proc/$$/fd")
    assert set(said.split()) <= {"0", "1", "2", "10"}  # 10 is the shell's own copy


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("sh -c 'kill -9 $$'; exit $?", 137)])
async def test_the_exit_code_arrives(web, script, code):
    process = await start(web, Program(["sh", "-c", script], env={"PATH": PATH}))
    assert await asyncio.gather(process.wait(), process.wait()) == [code, code]
    await process.signal(signal.SIGTERM)  # quiet after the end


async def test_sigkill_takes_a_pods_whole_process_tree(web):
    process = await start(web, Program(["sh", "-c", "sleep 600 & sleep 600"], env={"PATH": PATH}))
    other = await start(web, Program(["sh", "-c", "sleep 600"], env={"PATH": PATH}, join=process.id))
    await process.signal(signal.SIGKILL)
    assert await process.wait() == 137
    assert await other.wait() == 137


async def test_process_1_gets_sigterm_only_when_it_asks_for_it(web):
    reader, writer = os.pipe()
    script = "trap 'exit 7' TERM; echo ready; while :; do sleep 600 & wait; done"
    process = await start(web, Program(["sh", "-c", script], env={"PATH": PATH}), stdout=writer)
    os.close(writer)
    assert await asyncio.to_thread(os.read, reader, 100) == b"ready\n"
    os.close(reader)
    await process.signal(signal.SIGTERM)
    assert await process.wait() == 7


async def test_removing_a_pod_ends_its_programs_first(web):
    process = await start(web, Program(["sleep", "600"], env={"PATH": PATH}))
    tool = asyncio.create_task(web.network.run(pod("web"), ["sleep", "600"]))
    await web.network.run(pod("web"), ["true"])
    await web.network.remove_pod("web")
    assert await asyncio.wait_for(process.wait(), 1) == 137
    assert (await asyncio.wait_for(tool, 1)).code == 137


async def test_a_cancelled_start_leaves_no_program(web):
    task = asyncio.create_task(start(web, Program(["sleep", "601"], env={"PATH": PATH})))
    await asyncio.sleep(0)  # it has asked, and there is no answer yet
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async def gone():
        return not await web.is_running("sleep 601")

    await web.eventually(gone)


# What cannot start


@pytest.mark.parametrize(
    ("program", "code", "message"),
    [
        (Program(["nonesuch"], env={"PATH": PATH}), 127, r'exec: "nonesuch": executable file not found in \$PATH'),
        (Program(["/no/such"], env={}), 127, 'exec: "/no/such": no such file or directory'),
        (Program(["/etc/passwd"], env={}), 126, 'exec: "/etc/passwd": permission denied'),
        (Program(["true"], env={"PATH": PATH}, cwd="/nowhere"), 128, "'/nowhere'"),
        (Program(["x"], entry="kubelab.nonesuch:main"), 127, "kubelab.nonesuch"),
        (
            Program(["true"], env={"PATH": PATH}, mounts=[Mount("/nowhere", "/data")]),
            128,
            "cannot mount /nowhere on /data",
        ),
        (Program(["true"], env={"PATH": PATH}, join=1_000_000), 128, "not running"),
    ],
)
async def test_a_program_that_cannot_start_says_why(web, program, code, message):
    with pytest.raises(StartFailed, match=message) as failure:
        await start(web, program)
    assert failure.value.code == code


async def test_nothing_starts_where_there_is_no_place(web):
    with pytest.raises(StartFailed, match="pod/gone"):
        await start(web, Program(["true"], env={"PATH": PATH}), place=pod("gone"))


# Files


async def test_a_pod_has_its_own_hostname_and_files(web):
    files = {"/etc/hostname": "web-0\n", "/etc/resolv.conf": "nameserver 10.96.0.10\n", "/deep/new/file": "x\n"}
    said = await web.shell(
        "web", "hostname; cat /etc/hostname /etc/resolv.conf /deep/new/file", files=files, hostname="web-0"
    )
    assert said == "web-0\nweb-0\nnameserver 10.96.0.10\nx\n"


async def test_mounts_appear_at_any_path_and_follow_their_source(web, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "key").write_text("one")
    mounts = [
        Mount(str(tmp_path), "/var/run/secrets/kubernetes.io/serviceaccount"),
        Mount(str(tmp_path), "/usr/share/kubelab-test/deep"),
        Mount(str(tmp_path / "key"), "/etc/kubelab-test.key"),
    ]
    script = "cat " + " ".join(f"{mount.target}/key".replace(".key/key", ".key") for mount in mounts)
    script += "; ls /usr/bin/env /etc/passwd; touch /usr/share/kubelab-test/deep/no"
    said = await web.shell("web", script, mounts=mounts)
    assert said.startswith("oneoneone/etc/passwd\n/usr/bin/env\n")
    assert "Read-only file system" in said
    assert "kubelab-test" not in os.listdir("/usr/share")
    assert "no" not in os.listdir(tmp_path)


async def test_a_mount_at_a_new_place_keeps_the_pods_own_files_beside_it(web, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "key").write_text("one")
    files, mounts = {"/etc/hosts": "10.0.0.1 web\n"}, [Mount(str(tmp_path), "/etc/kubelab-test/deep")]
    script = "cat /etc/kubelab-test/deep/key /etc/hosts; ls -A / | grep laid"
    assert await web.shell("web", script, files=files, mounts=mounts) == "one10.0.0.1 web\n"


async def test_a_writable_mount_is_written_through(web, tmp_path):
    await web.shell("web", "echo hello > /data/file", mounts=[Mount(str(tmp_path), "/data", read_only=False)])
    assert (tmp_path / "file").read_text() == "hello\n"


async def test_a_pod_writes_to_its_own_directories_and_not_to_the_machines(web):
    mark = f"written-by-{os.getpid()}"
    machines = " ".join(
        f"{folder}/{mark}" for folder in ("/usr", "/etc", "/root", "/home", "/var", Path(__file__).parent)
    )
    own = " ".join(f"{folder}/{mark}" for folder in ("/tmp", "/run", "/dev/shm", ""))
    script = f"for f in {machines} /proc/sys/kernel/hostname; do echo x 2>/dev/null >$f && echo wrote $f; done; "
    script += "mount -o remount,rw /usr 2>/dev/null && echo remounted; "
    script += f"for f in {own} /dev/null; do echo x >$f || echo cannot; done; ls /tmp"
    assert await web.shell("web", script) == f"{mark}\n"
    assert mark not in os.listdir("/tmp")


async def test_device_nodes_that_a_pod_could_make_do_not_work(web):
    assert "Operation not permitted" in await web.shell("web", "mknod /tmp/disk b 8 0")


async def test_joining_enters_the_same_files_processes_and_hostname(web):
    program = Program(["sh", "-c", "echo mine > /tmp/f; sleep 600"], env={"PATH": PATH}, hostname="web-0")
    first = await start(web, program)

    async def written():
        return "mine" in await web.shell("web", "cat /tmp/f", join=first.id)

    await web.eventually(written)
    said = await web.shell("web", "cat /tmp/f; hostname; cat /proc/1/cmdline", join=first.id)
    assert said.startswith("mine\nweb-0\nsh\0-c")


async def test_a_program_on_a_node_shares_the_machines_files_but_not_its_network(web):
    code, said = await web.output(
        node(WORKER.name), Program(["cat", "/proc/self/net/dev", __file__], env={"PATH": PATH})
    )
    assert code == 0
    assert "eth0" in said
    assert "def test_a_program_on_a_node" in said


# Terminals and built-in programs


async def test_a_terminal_becomes_the_controlling_one(web):
    ours, theirs = os.openpty()
    program = Program(["sh", "-c", "test -t 0 && echo hello > /dev/tty"], env={"PATH": PATH}, tty=True)
    process = await start(web, program, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    assert await process.wait() == 0
    assert await asyncio.to_thread(os.read, ours, 100) == b"hello\r\n"
    os.close(ours)


async def test_a_built_in_program_is_forked_shows_its_own_name_and_ends_on_sigterm(web):
    program = Program(["/pause", "for", "ever"], env={"PATH": PATH}, entry=PAUSE)
    process = await start(web, program)

    async def is_listening_for_sigterm():
        status = await web.shell("web", "cat /proc/1/status", join=process.id)
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        return bool(int(caught, 16) & 1 << signal.SIGTERM - 1)

    await web.eventually(is_listening_for_sigterm)
    assert (await web.shell("web", "cat /proc/1/cmdline", join=process.id)).strip("\0") == "/pause for ever"
    await process.signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_a_built_in_programs_return_value_is_its_exit_code(web):
    code, said = await web.output(pod("web"), Program(["/agnhost", "nonesuch"], env={}, entry=AGNHOST))
    assert code == 1
    assert "nonesuch" in said


async def test_an_older_kernel_makes_the_machines_files_read_only_one_by_one(lab):
    script = """
import errno, sys
sys.path.append(sys.argv[1])
from kubelab.engine.network.agent import rootfs, syscalls
def mount_setattr(path):
    raise OSError(errno.ENOSYS, path)
rootfs.make_read_only = mount_setattr
syscalls.unshare(syscalls.CLONE_NEWNS)
rootfs.enter_private_root({}, [])
for path in ("/usr/x", "/etc/x", "/home/x"):
    try:
        open(path, "w")
    except OSError as error:
        print(errno.errorcode[error.errno])
"""
    root = str(Path(__file__).parents[3])
    finished = await lab.tool(OUTSIDE, [sys.executable, "-I", "-S", "-c", script, root])
    assert finished.stdout.split() == [b"EROFS"] * 3


async def test_the_clusters_keys_and_tokens_are_hidden_from_pods(lab):
    script = """
import os, pathlib, shutil, sys, tempfile
sys.path.append(sys.argv[1])
from kubelab.engine.network.agent import rootfs, syscalls
from kubelab.engine.network.contract import Mount
home = pathlib.Path(tempfile.mkdtemp(dir="/var/tmp"))
volume = home / "demo" / "volume"
volume.mkdir(parents=True)
(home / "demo" / "token").write_text("secret")
(volume / "file").write_text("mine")
if os.fork():
    os.wait()
    shutil.rmtree(home)
else:
    syscalls.unshare(syscalls.CLONE_NEWNS)
    rootfs.enter_private_root({}, [Mount(str(volume), "/data")], hidden=str(home))
    print(os.listdir(home), open("/data/file").read())
"""
    root = str(Path(__file__).parents[3])
    finished = await lab.tool(OUTSIDE, [sys.executable, "-I", "-S", "-c", script, root])
    assert finished.stdout == b"[] mine\n", finished.stderr


async def test_signals_are_as_a_program_expects_them(web):
    """Nothing blocked, nothing ignored: a shell's children must die of a broken pipe."""
    said = await web.shell("web", "grep -E 'SigBlk|SigIgn' /proc/self/status")
    threads_own = 0b11 << 31  # signals 32 and 33 are the C library's, and out of sigaction(3)'s reach
    assert [int(line.split()[1], 16) & ~threads_own for line in said.splitlines()] == [0, 0]


async def test_a_built_in_server_outlives_a_caller_that_leaves(web):
    process = await start(web, Program(["/pause"], env={"PATH": PATH}, entry=PAUSE))
    status = await web.shell("web", "cat /proc/1/status", join=process.id)
    ignored = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn"))
    assert int(ignored, 16) & 1 << signal.SIGPIPE - 1
