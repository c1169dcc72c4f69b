"""Descriptions of people without who they are: words of gender, age and ethnicity made neutral.

fusetrack neither learns nor is asked for any of that: what remains is what a person wears, carries
and does.
"""

import re

_WHO = (
    "man|woman|mans|womans|boy|girl|lady|guy|gentleman|male|female|kid|child|teen|teenager|adult|"
    "youth|youngster|elder|senior|student|dude|fellow|youngman|photographer|businessman|"
    "businesswoman|human"
)
_MANY = (
    "men|women|boys|girls|ladies|guys|gentlemen|males|females|kids|children|teens|teenagers|adults"
)
_KIND = (
    "young|younger|old|older|elderly|middle[- ]aged|aged|teenage|teenaged|adult|youthful|male|"
    "female|asian|oriental|american|african|african[- ]american|caucasian|hispanic|latino|latina|"
    "indian|chinese|japanese|korean|european|western|masculine|feminine|male's|pregnant|"
    "(?:light|dark|fair|pale|brown|tan|tanned|white|black)[- ]skinned"
)
# A colour before a word for a person is that of the skin.
_SKIN = "white|black|brown|yellow"
_BEARD = "(?:an? )?(?:large |full |short )?(?:facial hair|beard|mustache|moustache|goatee)"

_RULES = tuple(
    (re.compile(pattern, re.IGNORECASE), into)
    for pattern, into in (
        (r"[\u2019`]", "'"),
        (r"\b(?:young|middle|teen)[- ]?age[ds]?\b", "aged"),
        (
            r"\b(?:in|around|about) (?:his|her|their) (?:early|mid|late)?[- ]?\w*(?:teens|ties)\b",
            "",
        ),
        (
            r"\b(?:with|has|having) (?:\w+ )?(?:dark|light|fair|pale|brown|white|black|tan) skin\b",
            "",
        ),
        (rf"\b{_BEARD},? and\b", ""),
        (rf",? ?\b(?:and|with|has|have) {_BEARD}\b", ""),
        (rf"\b{_BEARD}\b", ""),
        (rf"\b(?:(?:{_KIND}),? )+(?=(?:\w+ ){{0,3}}(?:{_WHO}|{_MANY}|person|people)\b)", ""),
        (rf"\b(?:(?:{_SKIN}) )(?=(?:{_WHO}|{_MANY}|person|people)\b(?! (?:shirt|bag|top)))", ""),
        (rf"\b(?:{_KIND})\b,? ?(?=(?:and )?(?:{_WHO}|person)\b)", ""),
        (rf"\b(?:{_WHO}|{_MANY})(?:'s|s')(?= \w)", "|"),
        (rf"\b(?:{_WHO})\b", "person"),
        (rf"\b(?:{_MANY})\b", "people"),
        (r"\|", ""),
        (rf"\b(?:{_KIND})\b ?", ""),
        (r"\bhe or she\b|\bshe or he\b|\bhe/she\b|\bs/he\b", "the person"),
        (r"\bhis or her\b|\bhis/her\b", "their"),
        (r"\b(?:himself|herself)\b", "themself"),
        (r"\bs?he's\b", "the person is"),
        (r"\b(?:she|he)\b", "the person"),
        (r"\b(?:his|hers)\b", "their"),
        (r"\bhim\b", "the person"),
        # "her hair" is whose, "before her" is whom.
        (r"\bher\b(?= \w)", "their"),
        (r"\bher\b", "the person"),
        (r"\b(?:person )+person\b", "person"),
        (r"\bperson person\b", "person"),
        (r"\ban(?= person\b)", "a"),
        (r"\b([Aa]) (?=[aeio]\w)", r"\1n "),
        (r"\b([Aa])n (?=[^aeiouhAEIOUH\W])", r"\1 "),
        (r"\s+([,.;!?])", r"\1"),
        # Sentences of which nothing else is left.
        (r"\b(?:The|This) person (?:appears to be|looks|seems|is)(?: a person| roughly)?[.,]", ""),
        (r"\s+", " "),
    )
)
# Where a sentence begins, with or without a space before it.
_SENTENCE = re.compile(r"(?:^|[.!?] ?)[a-z]")
_FORBIDDEN = re.compile(
    rf"\b(?:{_WHO}|{_MANY}|{_KIND}|he|she|his|hers?|him|himself|herself)\b", re.IGNORECASE
)


def neutral(text: str) -> str:
    """``text`` without words of gender, age or ethnicity; sentences begin with a capital."""
    for pattern, into in _RULES:
        text = pattern.sub(into, text)
    return _SENTENCE.sub(lambda found: found[0].upper(), text.strip(" ,;"))


def is_neutral(text: str) -> bool:
    """Whether no such word is in ``text``."""
    return _FORBIDDEN.search(text) is None
