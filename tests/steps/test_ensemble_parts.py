from dssl.steps.retrieval import parts_of_ensemble


def test_trained_models_closed_form_and_the_first_model_are_scored_by_themselves() -> None:
    assert parts_of_ensemble([8, 8, 5], [0, 0, 1]) == {
        "dssl_trained": slice(0, 16),
        "dssl_closed_form": slice(16, None),
        "dssl_one_model": slice(0, 8),
    }


def test_a_part_that_is_the_whole_is_not_scored_twice() -> None:
    assert parts_of_ensemble([8], [0]) == {}
    assert parts_of_ensemble([8, 8], [0, 0]) == {"dssl_one_model": slice(0, 8)}
    assert parts_of_ensemble([8, 5], [0, 1]) == {"dssl_trained": slice(0, 8), "dssl_closed_form": slice(8, None)}
