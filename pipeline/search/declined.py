"""Requests that are declined: fusetrack describes what people wear and carry, never who they are.

Gender, age, ethnicity and what people feel cannot be seen, and guessing them does harm. The words
are listed here and nowhere else.
"""

import re
from collections.abc import Iterator

from pipeline.errors import UserError

_GENDER = """
man men woman women male males female females boy boys girl girls lady ladies gentleman
gentlemen guy guys gal gals dude dudes bloke blokes chap chaps lad lads lass masculine feminine
manly womanly girly boyish gender sex transgender trans nonbinary cisgender he him his she her
hers husband wife mother father mom mum dad mommy daddy son daughter brother sister aunt uncle
nephew niece grandmother grandfather grandma grandpa granny grandson granddaughter waitress
businessman businessmen businesswoman businesswomen policeman policewoman fireman salesman
saleswoman
"""
_AGE = """
age aged old older oldest elder elderly senior seniors pensioner young younger youngest youth
youths youngster teen teens teenage teenager teenagers kid kids child children toddler toddlers
baby babies infant infants adolescent adolescents adult adults juvenile minor minors middle-aged
youthful
"""
_ETHNICITY = """
ethnicity ethnic race racial skin skinned complexion asian asians african africans
african-american afro-american arab arabs arabic arabian caucasian caucasians hispanic hispanics
latino latina latinos latinas latinx indian indians chinese japanese korean koreans vietnamese
thai filipino pakistani bangladeshi turkish turk turks kurdish persian iranian iraqi syrian
afghan moroccan algerian tunisian egyptian nigerian somali ethiopian kenyan ghanaian mexican
brazilian colombian russian russians ukrainian polish romanian bulgarian gypsy gypsies roma
jewish jew jews muslim muslims islamic christian christians hindu hindus sikh sikhs buddhist
european europeans american americans foreign foreigner foreigners immigrant immigrants migrant
migrants refugee refugees native black-skinned white-skinned brown-skinned dark-skinned
light-skinned fair-skinned oriental negro nationality mulatto mixed-race biracial indigenous
aboriginal
"""
_EMOTION = """
emotion emotional mood happy unhappy sad angry anger nervous anxious afraid scared frightened
fearful aggressive suspicious suspiciously suspect furious upset depressed stressed crying
cheerful smiling frowning worried excited hostile agitated drunk guilty dangerous threatening
trustworthy honest dishonest attractive beautiful handsome pretty ugly sexy rich poor homeless
criminal thief
"""
_WHY = {
    "gender": _GENDER,
    "age": _AGE,
    "ethnicity": _ETHNICITY,
    "what people feel or are like": _EMOTION,
}
_ABOUT = {word: about for about, words in _WHY.items() for word in words.split()}

# Colours that are also said of people: meant so where a person follows, or nothing at all.
_COLOURS = frozenset("white black brown yellow whites blacks coloured colored".split())
_PEOPLE = frozenset("person persons people individual individuals one folk".split())
# What is after them says that they are said of a thing: "a Chinese restaurant sign", "pretty much".
_OF_THINGS = frozenset(
    """
    accent armband backpack bag banner beanie beard-style belt blouse boot boots bottle brand
    briefcase cap cape cardigan coat collar colour color dress flag flags font football glasses
    handbag hat headscarf helmet hood hoodie jacket jeans jersey jumper kit label leggings
    letters lettering logo looking luggage made outfit pants pattern phone pink poster print
    pullover restaurant rucksack sandals sari scarf shirt shirts shoe shoes shorts sign skirt
    sneakers socks style suit suitcase sweater sweatshirt sword t-shirt text tie top tracksuit
    trainers trolley trousers tshirt turban umbrella uniform vest watch worn writing
    """.split()
)
# Words of people that are said of things in these pairs alone.
_HARMLESS = (
    "man-made",
    "old-fashioned",
    "baby blue",
    "baby pink",
    "baby carrier",
    "baby stroller",
    "baby buggy",
    "child seat",
    "kids bike",
    "race bike",
    "racing",
    "pretty much",
    "roma tomato",
    "polish cloth",
    "boyfriend jeans",
    "lady bag",
    "skin-tight",
    "skin tight",
    "black and white",
    "white and black",
    "old school",
    "native american pattern",
)
_SURELY = frozenset(
    ("gender", "sex", "ethnicity", "race", "racial", "skin", "skinned", "age", "aged")
)
_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")


def check_allowed(text: str) -> None:
    """Raise UserError that names the word when ``text`` asks for what people are, not wear."""
    word = declined_word(text)
    if word is not None:
        raise UserError(
            f"declined because of {word!r}, which is about {about(word)}: that cannot be seen in a "
            "picture and is never inferred. Describe clothes, colours and what is carried, such as "
            '"red jacket, dark trousers, backpack"'
        )


def declined_word(text: str) -> str | None:
    """The first word of ``text`` that makes it a request about what people are; None without."""
    lowered = text.lower().replace("\u2019", "'")
    for phrase in _HARMLESS:
        lowered = re.sub(rf"\b{re.escape(phrase)}\b", lambda found: "," * len(found[0]), lowered)
    words = [*_words(lowered)]
    return next((word for n, word in enumerate(words) if _is_declined(words, n)), None)


def about(word: str) -> str:
    """What a declined word is about."""
    plain = word.removesuffix("'s")
    return next((_ABOUT[one] for one in (plain, *plain.split("-")) if one in _ABOUT), "ethnicity")


def _words(text: str) -> Iterator[str]:
    """The words; an empty one for each mark that ends a thought, so that no pair spans it."""
    for part in re.split(r"[,.;:!?()/]+", text):
        yield from (found[0] for found in _WORD.finditer(part))
        yield ""


def _is_declined(words: list[str], n: int) -> bool:
    word = words[n].removesuffix("'s")
    after = words[n + 1] if n + 1 < len(words) else ""
    if word in _COLOURS:
        # "black person", "two whites", but not "white" alone, which may be a shirt.
        return after in _PEOPLE or word in ("whites", "blacks")
    if word in _ABOUT:
        return not _is_of_a_thing(word, words[n + 1 : n + 3], possessive=word != words[n])
    if word in ("colour", "color"):
        return words[max(n - 2, 0) : n] in (["person", "of"], ["people", "of"])
    parts = word.split("-")
    return any(part in _ABOUT for part in parts) and "style" not in parts


def _is_of_a_thing(word: str, after: list[str], *, possessive: bool) -> bool:
    """Whether a word is said of a thing: a men's jacket, an old coat, a Chinese restaurant sign."""
    if word in _SURELY or (_ABOUT[word] == "gender" and not possessive):
        return False
    if after[:1] in ([""], ["in"], ["with"]) or (after and after[0] in _PEOPLE):
        return False
    return any(one in _OF_THINGS for one in after)
