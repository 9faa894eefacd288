"""What stands in for a pod's own files and processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from kubelab.engine.network.agent.interposed.confinement import version
from kubelab.engine.network.contract import Mount, Program, pod

ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))


@pytest.fixture
async def web(lab):
    await lab.pod("web")
    return lab


@pytest.fixture
def app(tmp_path):
    folder = tmp_path / "volume"
    folder.mkdir(mode=0o755)
    (folder / "helper.py").write_text("WORD = 'imported'")
    (folder / "server.py").write_text(
        "import helper, os, sys; print(helper.WORD, sys.argv, sorted(os.listdir('/app')))"
    )
    return folder


async def test_a_program_of_a_mount_starts_by_its_path_and_imports_beside_it(web, app):
    program = Program([PYTHON, "-B", "/app/server.py", "x"], env=ENV, mounts=[Mount(str(app), "/app")])
    code, said = await web.output(pod("web"), program)
    assert (code, said) == (0, "imported ['/app/server.py', 'x'] ['helper.py', 'server.py']\n")


async def test_a_mount_can_be_the_working_directory_and_hold_the_executable(web, app):
    (app / "run").write_text("#!/bin/sh\necho ran with $1\n")
    (app / "run").chmod(0o755)
    mounts = [Mount(str(app), "/app")]
    assert await web.shell("web", "cat helper.py", cwd="/app", mounts=mounts) == "WORD = 'imported'"
    assert await web.output(pod("web"), Program(["/app/run", "it"], env=ENV, mounts=mounts)) == (
        0,
        "ran with it\n",
    )
    assert await web.shell("web", "cd /app && ls; /app/run also", mounts=mounts) == (
        "helper.py\nrun\nserver.py\nran with also\n"
    )


async def test_each_pod_has_its_own_tmp(web):
    await web.pod("other", last=3)
    script = "mkdir /tmp/a /tmp/a/b; echo {0} > /tmp/a/b/f; mv /tmp/a/b/f /tmp/g; chmod 600 /tmp/g; ln -s g /tmp/link; "
    script += "rmdir /tmp/a/b; rm -r /tmp/a; cat /tmp/link; ls /tmp; touch /tmp/g; stat -c %a /tmp/g"
    for uid in ("web", "other"):
        assert await web.shell(uid, script.format(uid)) == f"{uid}\ng\nlink\n600\n"
    assert "g" not in os.listdir("/tmp")


@pytest.mark.skipif(not version(), reason="this kernel has no Landlock")
async def test_the_machines_files_stay_as_they_are(web, tmp_path):
    tmp_path.chmod(0o777)
    said = await web.shell("web", f"for f in {tmp_path}/x /usr/x /root/x; do echo x > $f || echo no; done 2>/dev/null")
    assert said == "no\nno\nno\n"


async def test_a_first_process_that_waits_for_a_signal_of_its_own_gets_it(web):
    script = (  # as nslookup ends itself
        "import os, signal, threading; signal.pthread_sigmask(signal.SIG_BLOCK, [15]); "
        "threading.Timer(0.05, os.kill, (os.getpid(), 15)).start(); os._exit(signal.sigwait([15]))"
    )
    process = await web.network.start(
        pod("web"), Program(["python3", "-c", script], env=ENV), stdin=None, stdout=None, stderr=None
    )
    assert await asyncio.wait_for(process.wait(), 10) == 15


async def test_kill_1_reaches_the_containers_first_process_if_it_asks_for_it(web):
    deaf = await web.sleeper(pod("web"))
    await web.shell("web", "kill -9 1; kill 1", join=deaf.id)
    reader, writer = os.pipe()
    program = Program(["sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 600 & wait; done"], env=ENV)
    hearing = await web.network.start(pod("web"), program, stdin=None, stdout=writer, stderr=None)
    os.close(writer)
    assert await asyncio.to_thread(os.read, reader, 10) == b"ready\n"
    os.close(reader)
    await web.shell("web", "kill 1", join=hearing.id)
    assert await asyncio.wait_for(hearing.wait(), 5) == 3
    await deaf.signal(signal.SIGTERM)
    assert await web.shell("web", "kill -0 1 && echo there", join=deaf.id) == "there\n"


async def test_nothing_outside_of_the_container_can_be_signalled(web):
    first = await web.sleeper(pod("web"))
    # The wait is for the child's SIGCHLD, which can cut a call short that the agent has not begun to answer.
    own = "sleep 600 & kill $! && echo own; wait"
    said = await web.shell("web", f"kill -9 {os.getpid()} || echo none; {own}; kill -9 -1; echo I live")
    assert "none" in said
    assert "own\nI live" in said
    assert await web.shell("web", "kill -0 1 && echo there", join=first.id) == "there\n"


async def test_with_process_1_end_its_children_wherever_they_hid(web):
    program = Program(["sh", "-c", "setsid sleep 617 & setsid sh -c 'sleep 618 & sleep 619' & sleep 600"], env=ENV)
    process = await web.network.start(pod("web"), program, stdin=None, stdout=None, stderr=None)

    async def all_run():
        return all([await web.is_running(f"sleep {seconds}") for seconds in (617, 618, 619)])

    async def none_runs():
        return not any([await web.is_running(f"sleep {seconds}") for seconds in (617, 618, 619)])

    await web.eventually(all_run)
    await process.signal(signal.SIGKILL)
    assert await process.wait() == 137
    await web.eventually(none_runs)


NEXT_PID = Path("/proc/sys/kernel/ns_last_pid")


async def later_than(moment: float) -> bool:
    return time.clock_gettime(time.CLOCK_BOOTTIME) > moment


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.access(NEXT_PID, os.W_OK), reason="only root chooses the next process's number"
)
async def test_a_number_that_the_kernel_gives_away_again_is_no_member_of_the_container_that_had_it(web):
    """On a busy machine that happens within minutes, and who had got the number ended with somebody else's pod."""
    await web.pod("other", last=3)
    old = await web.sleeper(pod("web"))
    for _ in range(50):
        number = int(await web.shell("web", "sh -c 'cat /etc/hostname >/dev/null; echo $$'", join=old.id))
        ended = time.clock_gettime(time.CLOCK_BOOTTIME)
        await web.eventually(partial(later_than, ended + 0.02))  # when a process began is told in hundredths
        NEXT_PID.write_text(str(number - 1))  # noqa: ASYNC240
        new = await web.sleeper(pod("other"))
        if new.id == number:
            break
        await new.signal(signal.SIGKILL)
        await new.wait()
    else:
        pytest.skip("others were faster, fifty times")
    await web.network.remove_pod("web")
    assert await web.shell("other", "kill -0 1 && echo there", join=new.id) == "there\n"
