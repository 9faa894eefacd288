import stat
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kubelab.lab.authority import MISTAKES, Authority, Entry, fingerprint, names_in
from kubelab.lab.errors import LabError


@pytest.fixture(scope="module")
def authority():
    return Authority()


def test_a_certificate_leads_to_the_root_over_the_intermediate(authority):
    issued = authority.issue("shop.test", "*.shop.test", "192.0.2.1")
    leaf, intermediate = x509.load_pem_x509_certificates(issued.pem.encode())
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.pem.encode()))
    assert names_in(leaf) == ("shop.test", "*.shop.test", "192.0.2.1")
    assert load_pem_private_key(issued.key.encode(), None).public_key() == leaf.public_key()


def test_it_is_valid_now_and_for_as_long_as_was_asked(authority):
    leaf = authority.issue("shop.test", days=3).certificate
    left = leaf.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=3) - left < timedelta(minutes=5)
    assert leaf.not_valid_before_utc < datetime.now(UTC)


def test_the_same_directory_has_the_same_authority_and_the_same_register(tmp_path):
    first = Authority.kept_in(tmp_path / "ca")
    first.enter(Entry("aa", "shop", "shop-tls", 2))
    again = Authority.kept_in(tmp_path / "ca")
    assert again.pem == first.pem == again.path.read_text()
    assert again.entry("aa") == Entry("aa", "shop", "shop-tls", 2)
    assert again.entry("bb") is None
    assert stat.S_IMODE((tmp_path / "ca" / "authority.pem").stat().st_mode) == 0o600


def test_of_two_that_are_made_at_once_one_is_kept(tmp_path):
    made, start = [], threading.Barrier(4)

    def make():
        start.wait(10)
        made.append(Authority.kept_in(tmp_path / "ca").pem)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(made)) == 1


def test_where_nothing_can_be_kept_it_says_what_to_do(tmp_path):
    (tmp_path / "ca").write_text("a file")
    with pytest.raises(LabError, match="KUBELAB_HOME"):
        Authority.kept_in(tmp_path / "ca")


@pytest.mark.parametrize("name", ["Shop.test", "shop_test", "a..b", "-a.test", "*.*.test", "a" * 64, ""])
def test_what_is_no_name_is_refused(authority, name):
    with pytest.raises(LabError, match="no name for a certificate"):
        authority.issue(name)


def test_a_mistake_that_there_is_not_is_refused_and_so_is_a_certificate_without_names_or_days(authority):
    with pytest.raises(LabError, match=", ".join(MISTAKES)):
        authority.issue("shop.test", mistake="expierd")
    for asked in ({"days": 0}, {"days": -1}, {"days": 1e9}, {"days": float("nan")}):
        with pytest.raises(LabError, match="at least one name"):
            authority.issue("shop.test", **asked)
    with pytest.raises(LabError, match="at least one name"):
        authority.issue()


def test_two_certificates_for_one_name_can_be_told_apart(authority):
    assert len({fingerprint(authority.issue("shop.test").certificate) for _ in range(2)}) == 2
