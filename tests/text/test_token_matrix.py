from densecap.text.token_matrix import token_matrix


def test_shorter_captions_end_early():
    assert token_matrix([[3, 1], [], [2, 2, 5]]).tolist() == [[3, 1, 0], [0, 0, 0], [2, 2, 5]]


def test_no_captions_and_no_words():
    assert token_matrix([]).shape == (0, 0)
    assert token_matrix([[], []]).shape == (2, 0)
