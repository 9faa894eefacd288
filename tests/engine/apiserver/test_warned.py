from kubelab.engine.apiserver.warned import warning_header


def test_each_warning_is_told_once_and_quoted():
    assert warning_header(['unknown field "spec.foo"', "ä", 'unknown field "spec.foo"']) == (
        r'299 - "unknown field \"spec.foo\"", 299 - "\\xe4"'
    )


def test_what_no_header_can_have_is_left_out():
    assert warning_header(['unknown field "\n"', "\0", "\x85", ""]) == ""
