"""The words that `lifecycle.claims` goes by: which attributes have one value at a time, and how English names them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Look(Enum):
    """What a value must look like for a text to be about an attribute at all."""

    NAME = "name"
    """Capitals or digits: "lives in Oslo" tells where, "lives in a small flat" does not."""
    NUMBER = "number"
    """Digits: "costs 20 dollars" tells how much, "costs a fortune" does not."""
    TIME = "time"
    """A day, a date or a time of day."""
    ANY = "any"


def _table(lines: str) -> dict[str, str]:
    """Words on the right of each line, separated by bars, stand for the attribute on the left."""
    found: dict[str, str] = {}
    for line in lines.strip().splitlines():
        attribute, words = line.split(":")
        found.update((word.strip(), attribute.strip()) for word in words.split("|"))
    return found


SINGLE_NOUNS: Mapping[str, str] = _table(
    """
    capital: capital | capital city
    headquarters: headquarters | head office
    chief executive: chief executive officer | chief executive | ceo | CEO
    chairperson: chairperson | chairman | chairwoman | chair
    president: president | President
    prime minister: prime minister | Prime Minister
    chancellor: chancellor | Chancellor
    head of state: head of state
    head of government: head of government
    head: head
    mayor: mayor
    governor: governor
    director: director
    principal: principal
    coach: head coach | coach
    manager: manager | line manager | boss
    captain: captain
    broadcaster: broadcaster
    author: author
    spouse: spouse | wife | husband
    employer: employer
    address: address | home address | street address
    phone number: phone number | phone | telephone number | mobile | mobile number | cell | cell number | number
    phone number: cell phone number
    e-mail address: e-mail address | email address | e-mail | email
    age: age
    birth date: birthday | date of birth | birth date | birthdate
    birthplace: birthplace | place of birth
    place of death: place of death
    citizenship: nationality | citizenship
    religion: religion
    official language: official language
    original language: original language
    native language: native language | mother tongue | first language
    currency: currency | official currency
    population: population
    time zone: time zone | timezone
    home town: home town | hometown
    due date: due date | deadline
    start date: start date | starting date
    end date: end date | closing date
    release date: release date | launch date
    price: price | cost | rent
    salary: salary
    status: status
    version: version
    user name: username | user name
    password: password | passcode
    height: height
    weight: weight
    size: size | shoe size
    blood type: blood type
    marital status: marital status | relationship status
    meeting time: meeting time | start time
    venue: venue
    continent: continent
    genre: genre
    sport: sport
    position: position
    """
)
"""Nouns whose owner has one of them at a time."""

SCOPED_ROLES = frozenset({
    "chief executive", "chairperson", "president", "prime minister", "chancellor", "head of state",
    "head of government", "mayor", "governor", "coach", "capital", "principal",
})  # fmt: skip
"""Attributes that are told the other way round too: "Ada is the CEO of Fjord Labs" is about Fjord Labs."""

LOOKS: Mapping[str, Look] = {
    **dict.fromkeys(("age", "population", "price", "salary", "height", "weight", "size", "phone number"), Look.NUMBER),
    **dict.fromkeys(
        ("due date", "start date", "end date", "release date", "birth date", "meeting time", "day", "time", "date"),
        Look.TIME,
    ),
    **dict.fromkeys(
        ("religion", "status", "user name", "password", "blood type", "marital status", "genre", "sport", "position",
         "e-mail address", "occupation", "currency", "version", "field of work", "being"),
        Look.ANY,
    ),
}  # fmt: skip
"""What values look like; names where nothing is said."""

PLACES = frozenset(
    {
        "residence",
        "birthplace",
        "place of death",
        "location",
        "headquarters",
        "home town",
        "origin",
        "team",
        "place of founding",
    }
)
"""Attributes whose values nest: who lives in Oslo lives in Norway too."""

PERSONAL = frozenset({
    "spouse", "manager", "captain", "coach", "chief executive", "chairperson", "president", "prime minister",
    "chancellor", "head of state", "head of government", "head", "mayor", "governor", "director", "principal", "author",
})  # fmt: skip
"""Attributes whose values are people: "my wife is Norwegian" names none."""

MANY_NOUNS = frozenset(
    """
    child kid son daughter brother sister sibling cousin aunt uncle nephew niece grandchild grandson granddaughter
    parent friend colleague neighbour neighbor roommate flatmate classmate teammate member student pupil teacher
    owner founder hobby interest skill talent passion instrument pet dog puppy cat kitten horse language book song
    album film movie show work job project goal dream plan idea problem issue reason allergy medication award
    product customer competitor supplier sponsor nickname name alias hero inspiration strength weakness fear wish
    gift advice opinion thing part point way example fact person place event trip story photo picture painting
    recipe hike class course
    """.split()  # noqa: SIM905 - one word a line would be 100 lines
)
"""Nouns of which there can be several: what is said of one never takes another's place. Plurals neither."""

MANY_VERBS = frozenset(
    """
    like likes liked love loves loved enjoy enjoys enjoyed hate hates visit visits visited know knows knew want wants
    wanted need needs saw see sees met meet meets read reads watch watched went go goes made make makes own owns owned
    bought buys buy play played wrote writes use uses used recommend recommends recommended mention mentioned talked
    helped help helps won inspired got gave took take takes tried try teaches taught speaks spoke wrote eat eats ate
    """.split()  # noqa: SIM905
)
"""Verbs that hold of many things at once: "the restaurant that Ada likes" is one of several."""

OWN_RELATIVES = frozenset(
    {"mother", "mom", "mum", "father", "dad", "wife", "husband", "spouse", "boss", "manager", "landlord", "landlady"}
)
"""Whom "my" leaves no doubt about: a speaker has one of each."""

NO_SUBJECT = frozenset(
    """
    he she it they you this that these those there here who what which someone somebody everyone everybody anyone
    anybody one something everything nothing him her them his hers its their theirs your yours us another other
    others both each life time people i me we my our mine ours
    """.split()  # noqa: SIM905
)
"""Words that point to something outside the sentence."""

CLAUSE_WORDS = frozenset(
    """
    that which who whom whose when where while because since if although though unless until whether how why what than
    is are was were am be been being has have had do does did says said thinks knows told tell but or so he she they it
    you i we my your his her their our this these those not then now also just
    """.split()  # noqa: SIM905
)
"""Words in lower case that neither a name nor a plain noun phrase has in it."""

OPENS_NO_SUBJECT = frozenset(
    """
    in on at after before during for from with without by to of about until because although as than like unlike near
    under over between among through every any some no most many all either a an yes well so and but or hey hi oh
    when while if since though yesterday today tomorrow later recently
    """.split()  # noqa: SIM905
)
"""Words that open a sentence and no name."""

UNCERTAIN = frozenset(
    """
    if would could might may should maybe perhaps probably possibly presumably supposedly apparently allegedly
    reportedly think thinks thought believe believes believed guess guesses suppose imagine wonder hope hopes
    hoped wish wishes want wants wanted planned planning considering consider considered dream dreams dreamed
    dreamt pretend seems seem appears looks sounds rumour rumor rumours rumors heard hear say says said saying
    tells told asks asked unless whether almost nearly never will going gonna hopefully someday eventually soon
    ought must unsure unlikely likely assume assuming assumed doubt doubts supposed joking kidding once formerly
    previously originally temporarily visiting let's until before also too additionally i'll we'll he'll she'll
    they'll it'll i'd he'd she'd
    """.split()  # noqa: SIM905
)
"""Words of doubt, hearsay, plans and the past."""

DOUBT = UNCERTAIN | frozenset(
    """
    not no none nobody nothing neither nor hardly barely won't can't cannot isn't aren't wasn't weren't doesn't
    don't didn't hasn't haven't
    """.split()  # noqa: SIM905
)
"""Words with which a sentence states nothing: those, and denial; "also" replaces nothing."""

LABELS = frozenset(
    {"note", "notes", "update", "reminder", "fyi", "ps", "edit", "summary", "todo", "re", "info", "memo", "important"}
)
"""What a line may open with before a colon without being said by anybody of that name."""

CONTINENTS = frozenset(
    {"africa", "antarctica", "asia", "australia", "europe", "north america", "south america", "oceania", "americas"}
)
COUNTRIES = frozenset(
    " ".join(name.split())
    for name in """
    afghanistan, alabama, alaska, albania, algeria, andorra, angola, argentina, arizona, arkansas, armenia,
    austria, azerbaijan, bahamas, bahrain, bangladesh, barbados, belarus, belgium, belize, benin, bhutan, bolivia,
    bosnia and herzegovina, botswana, brazil, britain, brunei, bulgaria, burkina faso, burundi, california,
    cambodia, cameroon, canada, chad, chile, china, colombia, colorado, congo, connecticut, costa rica, croatia,
    cuba, cyprus, czech republic, czechia, delaware, denmark, dominican republic, ecuador, egypt, el salvador,
    england, eritrea, estonia, ethiopia, fiji, finland, florida, france, gabon, gambia, georgia, germany, ghana,
    greece, greenland, guatemala, guinea, guyana, haiti, hawaii, honduras, hungary, iceland, idaho, illinois,
    india, indiana, indonesia, iowa, iran, iraq, ireland, israel, italy, ivory coast, jamaica, japan, jordan,
    kansas, kazakhstan, kentucky, kenya, kosovo, kuwait, kyrgyzstan, laos, latvia, lebanon, lesotho, liberia,
    libya, liechtenstein, lithuania, louisiana, luxembourg, madagascar, maine, malawi, malaysia, maldives, mali,
    malta, maryland, massachusetts, mauritania, mauritius, mexico, michigan, minnesota, mississippi, missouri,
    moldova, monaco, mongolia, montana, montenegro, morocco, mozambique, myanmar, namibia, nebraska, nepal,
    netherlands, nevada, new hampshire, new jersey, new mexico, new zealand, nicaragua, niger, nigeria, north
    carolina, north dakota, north korea, north macedonia, northern ireland, norway, ohio, oklahoma, oman, oregon,
    pakistan, palestine, panama, papua new guinea, paraguay, pennsylvania, people's republic of china, peru,
    philippines, poland, portugal, qatar, rhode island, romania, russia, rwanda, samoa, saudi arabia, scotland,
    senegal, serbia, seychelles, sierra leone, singapore, slovakia, slovenia, somalia, south africa, south
    carolina, south dakota, south korea, south sudan, spain, sri lanka, sudan, suriname, sweden, switzerland,
    syria, taiwan, tajikistan, tanzania, tennessee, texas, thailand, tibet, togo, tonga, trinidad and tobago,
    tunisia, turkey, turkmenistan, türkiye, uganda, uk, ukraine, united arab emirates, united kingdom, united
    states, united states of america, uruguay, us, usa, utah, uzbekistan, venezuela, vermont, vietnam, virginia,
    wales, west virginia, wisconsin, wyoming, yemen, zambia, zimbabwe
    """.split(",")  # noqa: SIM905
)
"""Countries, and states large enough to be named instead of a city."""

TOOLS = frozenset(
    """
    python java javascript typescript rust go golang kotlin swift ruby php scala haskell elixir perl julia matlab c c++
    c# postgres postgresql mysql sqlite mongodb redis oracle aws azure gcp linux ubuntu windows macos android ios iphone
    slack teams zulip discord zoom skype whatsapp signal telegram gmail outlook jira linear trello asana notion obsidian
    evernote github gitlab bitbucket vim neovim emacs vscode pycharm intellij react vue angular svelte django flask
    rails docker kubernetes terraform chrome firefox safari spotify netflix figma photoshop excel chatgpt claude
    """.split()  # noqa: SIM905
)
"""What people move to and from without moving house."""
