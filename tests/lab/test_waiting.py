import pytest

from kubelab.lab import waiting
from kubelab.lab.errors import TimedOut
from kubelab.lab.pods import Aliases
from kubelab.lab.waiting import Seen


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def test_a_wait_ends_as_soon_as_the_condition_holds():
    clock = Clock()
    looks = iter([Seen(False, "no"), Seen(False, "no"), Seen(True, "yes")])
    waiting.until(lambda: next(looks), "x is ready:", 10, clock=clock, sleep=clock.sleep)
    assert clock.now == pytest.approx(2 * waiting.POLL_SECONDS)


def test_a_wait_that_fails_says_what_it_last_saw():
    clock = Clock()
    with pytest.raises(TimedOut, match=r"^deployment/web is not available after 3 s; last seen: 1 of 3 pods ready\.$"):
        waiting.until(
            lambda: Seen(False, "1 of 3 pods ready"),
            "deployment/web is not available",
            3,
            clock=clock,
            sleep=clock.sleep,
        )


def settling(*looks):
    """Whether that comes to hold, a look a second, with 3 s of patience and 6 s at most; and when that is known."""
    clock = Clock()
    left = iter(looks)
    try:
        waiting.until(lambda: next(left), "x", 6, still_seconds=3, clock=clock, sleep=lambda _: clock.sleep(1))
    except TimedOut:
        return False, clock.now
    return True, clock.now


def test_what_comes_slowly_but_comes_has_its_time():
    slowly = [Seen(False, "none runs"), Seen(False, "none runs"), Seen(False, "one runs"), Seen(False, "one runs")]
    assert settling(*slowly, Seen(False, "one runs"), Seen(True, "both run")) == (True, 5)


def test_what_stands_still_or_never_settles_does_not_come_to_hold():
    assert settling(*[Seen(False, "none runs")] * 9) == (False, 3)
    assert settling(*(Seen(False, f"{number} runs") for number in range(9))) == (False, 6)


def test_a_rollout_whose_new_generation_was_not_seen_yet_is_not_done():
    status = {"observedGeneration": 1, "replicas": 0, "updatedReplicas": 0, "availableReplicas": 0}
    deployment = {"metadata": {"generation": 2}, "spec": {"replicas": 0}, "status": status}
    assert not waiting.deployment_available(deployment, Aliases().view([])).holds
    status["observedGeneration"] = 2
    assert waiting.deployment_available(deployment, Aliases().view([])).holds


def test_endpoints_without_a_condition_count_as_ready():
    assert waiting.endpoints_ready([{"endpoints": [{"addresses": ["10.244.1.2"]}]}]).holds
    assert not waiting.endpoints_ready([{"endpoints": [{"conditions": {"ready": False}}]}]).holds
    assert waiting.endpoints_ready([]).words == "0 ready of 0 endpoints"


def test_a_condition_is_found_by_its_type_in_any_case():
    found = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    assert waiting.condition(found, "complete").holds
    assert waiting.condition(found, "failed").words == "no condition 'failed', but Complete"
