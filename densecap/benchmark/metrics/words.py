"""What the generated phrases are made of."""

from __future__ import annotations

ADJECTIVES, NOUNS, VERBS = map(
    str.split,
    (
        """large big small little red blue yellow green white black brown gray orange pink old young tall short
        wooden metal brick stone glass plastic happy busy dark bright striped wet dry empty full broken parked
        open closed fluffy furry shiny round square leafy grassy sandy snowy cloudy clear blurry dirty clean
        colorful silver golden""",
        """dog cat man woman child kid boy girl person people lady guy street road car automobile bicycle bike bus
        train truck motorcycle horse sheep cow elephant giraffe zebra bear bird goose foot tooth knife leaf box
        glass bench couch sofa table desk lamp picture photo building house wall fence tree bush grass beach
        shore ocean sea sky cloud shirt jacket coat hat shoe boot ball racket phone computer screen keyboard
        mouse plate bowl pizza sandwich cake fruit banana apple bottle cup player rider surfer skier crowd group
        city store window door roof tire wheel sign light pole post clock tower bridge boat water wave snow hill
        mountain rock sand dirt sidewalk curb line shadow reflection ear nose eye mouth leg arm hand finger head
        hair tail neck wing mane spot stripe sleeve pocket button collar tie belt bag backpack umbrella suitcase
        basket pillow blanket curtain carpet floor ceiling shelf book paper letter number logo flag kite board
        helmet glove bat net court field base plane engine airport runway track platform rail""",
        """walking running jumping sitting standing riding holding carrying eating drinking watching looking
        playing throwing catching swinging flying parked driving waiting smiling lying leaning crossing wearing
        cutting hanging moving hitting pulling pushing grazing resting floating surfing skiing reading talking
        pointing covering""",
    ),
)
PREPOSITIONS = (
    *("on", "in", "at", "near", "beside", "by", "under", "over", "behind", "with", "of", "from", "into", "across"),
    *("next to", "in front of", "on top of", "on the side of", "in the middle of", "along", "against", "between"),
    *("above", "below", "around"),
)
LINKS = ("and", "while", "with", "as", "that has")

_SAME = (("large", "big"), ("small", "little"), ("man", "guy"), ("woman", "lady"), ("couch", "sofa"))
#: Words and others of the same meaning.
EQUALS = {word: pair[pair[0] == word] for pair in _SAME for word in pair}
