import pytest

from kubelab import predict
from kubelab.course import PredictFirst
from kubelab.lab.errors import LabError


def test_a_prediction_is_kept_and_shown():
    assert repr(predict("1.delete", 3)) == "Prediction(1.delete: 3 of 3 pod IPs)"


def test_what_happened_is_shown_beside_the_last_prediction():
    predict("1.delete", 3)
    predict("1.delete", 1)
    assert repr(predict.compare("1.delete", 0)) == (
        "Comparison(1.delete: predicted 1 of 3 pod IPs, observed 0 of 3 pod IPs)"
    )


def test_an_experiment_does_not_begin_before_there_is_a_prediction():
    with pytest.raises(PredictFirst, match=r'predict\("1.delete", …\)'), predict.first("1.delete"):
        pytest.fail("the experiment ran")


def test_an_outcome_is_not_shown_before_there_is_a_prediction():
    with pytest.raises(PredictFirst):
        predict.compare("1.delete", 0)


@pytest.mark.parametrize(
    ("question", "value", "said"),
    [
        ("1.delete", 4, "a whole number from 0 to 3"),
        ("1.delete", "three", "a whole number from 0 to 3"),
        ("1.delete", True, "a whole number from 0 to 3"),
        ("1.pinned", "maybe", "none of the choices; write one of 'answered all along'"),
        ("9.nothing", 1, "no question '9.nothing'"),
    ],
)
def test_a_prediction_that_cannot_be_is_refused_kindly(question, value, said):
    with pytest.raises(LabError, match=said):
        predict(question, value)
