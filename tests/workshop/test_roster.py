"""Who takes part."""

from __future__ import annotations

import pytest

from kubelab.workshop.errors import WorkshopError
from kubelab.workshop.roster import LONGEST_LABEL, label_of, read_roster


@pytest.fixture
def roster(tmp_path):
    def read(text, encoding="utf-8"):
        file = tmp_path / "names.csv"
        file.write_bytes(text.encode(encoding))
        return read_roster(file)

    return read


def labels(learners):
    return [learner.label for learner in learners]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Ada Lovelace", "ada-lovelace"),
        ("  Łucja  Özgür ", "lucja-ozgur"),
        ("Straße O'Neil, Jr.", "strasse-o-neil-jr"),
        ("7 of 9", "7-of-9"),
        ("Lei 雷", "lei"),
        ("-- a --", "a"),
    ],
)
def test_a_name_becomes_a_dns_label(name, label):
    assert label_of(name) == label


def test_a_name_without_latin_letters_gets_a_label_that_is_always_the_same():
    assert label_of("李雷") == label_of("李雷") == "learner-3a4732"
    assert label_of("韩梅梅") != label_of("李雷")


def test_long_names_stay_apart():
    long = "Wolfeschlegelsteinhausenbergerdorff " * 2
    first, second = label_of(long + "a"), label_of(long + "b")
    assert first != second
    assert max(len(first), len(second)) <= LONGEST_LABEL


def test_a_head_is_optional_and_its_columns_may_stand_in_any_order(roster):
    assert labels(roster("Ada\nGrace\n")) == ["ada", "grace"]
    assert [(each.name, each.email) for each in roster("Ada,a@x.test\n")] == [("Ada", "a@x.test")]
    found = roster("E-Mail;Group;Full Name;Login\na@x.test;1;Ada;al\n")
    assert [(each.name, each.email, each.label) for each in found] == [("Ada", "a@x.test", "al")]
    assert labels(roster("grace@x.test\nada@x.test\n")) == ["grace", "ada"]
    found = roster("First name,Surname,Email address\nAda,Lovelace,a@x.test\nGrace,Hopper,\n")
    assert [each.name for each in found] == ["Ada Lovelace", "Grace Hopper"]


def test_what_spreadsheets_write_is_read(roster):
    text = 'name,email\r\n"Lovelace, Ada",a@x.test\r\n,\r\n\r\n# a remark\r\nGrace,\r\n'
    assert labels(roster(text, "utf-8-sig")) == ["lovelace-ada", "grace"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,email\nAda,a@x.test\n,\"\"\nBob,bob\n", r"line 4: 'bob' is no e-mail address"),
        ("name,group\nAda,1\n,2\n", r"line 3: there is no name"),
        ("Ada\nGrace\nAda\n", r"line 3: 'Ada' stands in line 1 already; take one away"),
        ("Ada B\nada-b\n", r"line 2: 'ada-b' and 'Ada B' of line 1 would both be ada-b; .* column `user`"),
        ("name,user\nAda,Ada L\n", r"line 2: 'Ada L' cannot be part .* for example ada-l"),
        ("Ada\nG\u200erace\n", r"line 2: the name has a character that cannot be seen"),
        ("Ada\n" + "x" * 101, r"line 2: the name has 101 characters"),
        ('Ada\n"Gra\nce\n', r"line 3: it is not CSV .* quotation mark"),
        ("\n# nobody\n", r"names nobody; write a name a line"),
        ("name,email\n", r"names nobody"),
        ("", r"names nobody; write a name a line, or columns. Write a head above them: name,email"),
        ("Lovelace, Ada\nHopper, Grace\n", r"line 1: it has several columns, and which is the name\? Write a head"),
        ("Ada\nHopper, Grace\n", r"line 2: it has more columns than the list; put a name with ',' in it into quot"),
        ("Vorname,Nachname\nAda,Lovelace\n", r"line 1: it has several columns"),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_is_named_with_what_mends_it(roster, text, sentence):
    with pytest.raises(WorkshopError, match=sentence):
        roster(text)


def test_all_wrong_lines_are_told_at_once_and_not_endlessly(roster):
    with pytest.raises(WorkshopError) as caught:
        roster("name,email\n" + "Ada,nothing\n" * 14)
    assert str(caught.value).count("\n") == 11
    assert "… and 4 more" in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(roster, tmp_path):
    with pytest.raises(WorkshopError, match="save it again as “CSV UTF-8”"):
        roster("Łucja", "utf-16")
    with pytest.raises(WorkshopError, match="cannot be read"):
        read_roster(tmp_path / "nothing.csv")


def test_two_hundred_names_are_two_hundred_labels(roster):
    assert len(set(labels(roster("".join(f"Learner Number {at}\n" for at in range(200)))))) == 200
