# ruff: noqa: E501 - a phrasing to a line
"""Made texts: pairs in which the second changes what the first says, and pairs in which both stay true.

Phrasings of one attribute share no template; each text may have a chatty wrapper. There are three parts, `first`,
`second` and `third`, whose phrasings, wrappers, names and values differ. The rules of `lifecycle.claims` were written
without any; where rules were mended after a look at what was missed, it was at the first part alone. The third
(`benchmarks._updates_third`) was written before anything was tried on it, and has more attributes. Deterministic.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import _updates_third as third

THIRD = "third"
SPEAKER = {"first": "Ada", "second": "Morgan", THIRD: third.SPEAKER}
_NAMES = {
    "first": ("Ben", "Cyd Lund", "Priya", "Tomás", "Eva Moe", "Jun", "Olu", "Nora Dahl"),
    "second": ("Felix", "Ingrid Vik", "Samir", "Chiara", "Wei Chen", "Rosa", "Kofi", "Hana Sato"),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts, the older one first.

    Attributes:
        sort: the attribute, or in which way both stay true.
        is_update: whether the second outdates the first.
        question: asks for what an update changes, or for what the older one alone says; empty where either answers.
    """

    sort: str
    older: str
    newer: str
    is_update: bool
    question: str = ""


@dataclass(frozen=True, slots=True)
class _Attribute:
    """Phrasings of one attribute: `{S}` the subject with its verb as the template has it, `{v}` and `{w}` old and new.

    A template is two forms, of the first and of the third person, with `{n}` for the third's name.
    """

    values: Mapping[str, Sequence[str]]
    states: Mapping[str, Sequence[tuple[str, str]]]
    updates: Mapping[str, Sequence[tuple[str, str]]]


_CITIES = {
    "first": ("Oslo", "Lisbon", "Denver", "Kyoto", "Bergen", "Austin", "Ghent", "Leeds"),
    "second": ("Turin", "Seattle", "Gdańsk", "Hanoi", "Perth", "Utrecht", "Quito", "Boston"),
}
_FIRMS = {
    "first": ("Fjord Labs", "North Sea Bank", "Acme", "Globex", "Initech", "Hooli"),
    "second": ("Blue Kite", "Sundial Energy", "Umbra", "Contoso", "Vandelay", "Stark Foods"),
}
_JOBS = {
    "first": ("nurse", "teacher", "data analyst", "carpenter", "pilot"),
    "second": ("lawyer", "designer", "bus driver", "chemist", "translator"),
}
_PEOPLE = {
    "first": ("Dana Reed", "Liv Aas", "Omar Haddad", "Greta Holm"),
    "second": ("Paul Weber", "Mia Costa", "Ivan Petrov", "Zoe Clark"),
}
_DAYS = {
    "first": ("Monday", "Tuesday", "Thursday"),
    "second": ("Wednesday", "Friday", "Saturday"),
}

ATTRIBUTES: Mapping[str, _Attribute] = {
    "residence": _Attribute(
        _CITIES,
        {
            "first": (
                ("I live in {v}", "{n} lives in {v}"),
                ("I'm based in {v}", "{n} is based in {v}"),
                ("My home is in {v}", "{n}'s home is in {v}"),
            ),
            "second": (
                ("I reside in {v}", "{n} resides in {v}"),
                ("I'm living in {v} these days", "{n} is living in {v} these days"),
                ("{v} is where I live", "{v} is where {n} lives"),
            ),
        },
        {
            "first": (
                ("I just moved to {w}", "{n} just moved to {w}"),
                ("I've relocated to {w}", "{n} has relocated to {w}"),
                ("I don't live in {v} anymore, I'm in {w} now", "{n} doesn't live in {v} anymore, but in {w} now"),
            ),
            "second": (
                ("I packed up and moved to {w}", "{n} packed up and moved to {w}"),
                ("I settled in {w} after leaving {v}", "{n} settled in {w} after leaving {v}"),
                ("My new home is in {w}", "{n}'s new home is in {w}"),
            ),
        },
    ),
    "employer": _Attribute(
        _FIRMS,
        {
            "first": (
                ("I work at {v}", "{n} works at {v}"),
                ("I'm employed by {v}", "{n} is employed by {v}"),
                ("My employer is {v}", "{n}'s employer is {v}"),
            ),
            "second": (
                ("I work for {v}", "{n} works for {v}"),
                ("My job is at {v}", "{n}'s job is at {v}"),
                ("I'm on the payroll of {v}", "{n} is on the payroll of {v}"),
            ),
        },
        {
            "first": (
                ("I started a new job at {w}", "{n} started a new job at {w}"),
                ("I've joined {w}", "{n} has joined {w}"),
                ("I left {v} for {w}", "{n} left {v} for {w}"),
            ),
            "second": (
                ("I got hired by {w}", "{n} got hired by {w}"),
                ("I now work for {w}", "{n} now works for {w}"),
                ("I quit {v} and went to {w}", "{n} quit {v} and went to {w}"),
            ),
        },
    ),
    "occupation": _Attribute(
        _JOBS,
        {
            "first": (("I work as a {v}", "{n} works as a {v}"), ("I'm a {v}", "{n} is a {v}")),
            "second": (("My job title is {v}", "{n}'s job title is {v}"), ("I earn my living as a {v}", "{n} earns a living as a {v}")),
        },
        {
            "first": (
                ("I'm no longer a {v}, I'm a {w} now", "{n} is no longer a {v}, but a {w} now"),
                ("I now work as a {w}", "{n} now works as a {w}"),
            ),
            "second": (
                ("I switched careers from {v} to {w}", "{n} switched careers from {v} to {w}"),
                ("I retrained and work as a {w} now", "{n} retrained and works as a {w} now"),
            ),
        },
    ),
    "phone number": _Attribute(
        {"first": ("555 0101", "555 0199", "+47 5550 3311"), "second": ("020 7946 0991", "555-2040", "+1 202 555 0143")},
        {
            "first": (("My phone number is {v}", "{n}'s phone number is {v}"), ("My cell is {v}", "{n}'s cell is {v}")),
            "second": (("You can call me on {v}", "You can call {n} on {v}"), ("My mobile number is {v}", "{n}'s mobile number is {v}")),
        },
        {
            "first": (
                ("My new number is {w}", "{n}'s new number is {w}"),
                ("I changed my phone number to {w}", "{n} changed phone numbers, it's {w} now"),
            ),
            "second": (
                ("My number has changed to {w}", "{n}'s number has changed to {w}"),
                ("Use {w} to reach me from now on", "Use {w} to reach {n} from now on"),
            ),
        },
    ),
    "e-mail address": _Attribute(
        {"first": ("a@fjord.example", "kite@mail.example", "me@north.example"), "second": ("x@umbra.example", "hi@sun.example", "post@blue.example")},
        {
            "first": (("My email is {v}", "{n}'s email is {v}"), ("My email address is {v}", "{n}'s email address is {v}")),
            "second": (("I use {v} for mail", "{n} uses {v} for mail"), ("My e-mail: {v}", "{n}'s e-mail: {v}")),
        },
        {
            "first": (
                ("My new email is {w}", "{n}'s new email is {w}"),
                ("I switched my email to {w}", "{n}'s email was changed to {w}"),
            ),
            "second": (
                ("My email address is now {w}", "{n}'s email address is now {w}"),
                ("Please write to {w} instead of {v}", "Please write to {n} at {w} instead of {v}"),
            ),
        },
    ),
    "address": _Attribute(
        {"first": ("5 Sea Lane", "7 Hill Road", "12 Elm Street"), "second": ("88 King Street", "3 Mill Close", "41 Park Avenue")},
        {
            "first": (("My address is {v}", "{n}'s address is {v}"), ("I live at {v}", "{n} lives at {v}")),
            "second": (("My home address is {v}", "{n}'s home address is {v}"), ("My flat is at {v}", "{n}'s flat is at {v}")),
        },
        {
            "first": (("My new address is {w}", "{n}'s new address is {w}"), ("I moved to {w}", "{n} moved to {w}")),
            "second": (
                ("My address has changed to {w}", "{n}'s address has changed to {w}"),
                ("From now on my address is {w}", "From now on {n}'s address is {w}"),
            ),
        },
    ),
    "manager": _Attribute(
        _PEOPLE,
        {
            "first": (("My manager is {v}", "{n}'s manager is {v}"), ("I report to {v}", "{n} reports to {v}")),
            "second": (("My boss is {v}", "{n}'s boss is {v}"), ("{v} is my line manager", "{v} is {n}'s line manager")),
        },
        {
            "first": (("I now report to {w}", "{n} now reports to {w}"), ("My new boss is {w}", "{n}'s new boss is {w}")),
            "second": (
                ("{w} is my new manager", "{w} is {n}'s new manager"),
                ("{w} took over from {v} as my manager", "{w} took over from {v} as {n}'s manager"),
            ),
        },
    ),
    "doctor": _Attribute(
        {"first": ("Dr. Smith", "Dr. Jones", "Dr. Berg"), "second": ("Dr. Patel", "Dr. Novak", "Dr. Kim")},
        {
            "first": (("My dentist is {v}", "{n}'s dentist is {v}"),),
            "second": (("My GP is {v}", "{n}'s GP is {v}"),),
        },
        {
            "first": (("My new dentist is {w}", "{n}'s new dentist is {w}"), ("I switched dentists to {w}", "{n} switched dentists to {w}")),
            "second": (("My GP is now {w}", "{n}'s GP is now {w}"), ("I changed my GP to {w}", "{n} changed GPs, it's {w} now")),
        },
    ),
    "favourite": _Attribute(
        {"first": ("blue", "green", "purple"), "second": ("ramen", "lasagne", "falafel")},
        {
            "first": (("My favorite color is {v}", "{n}'s favorite color is {v}"),),
            "second": (("My favourite food is {v}", "{n}'s favourite food is {v}"),),
        },
        {
            "first": (("My favorite color is now {w}", "{n}'s favorite color is now {w}"), ("My favorite color changed from {v} to {w}", "{n}'s favorite color changed from {v} to {w}")),
            "second": (("My new favourite food is {w}", "{n}'s new favourite food is {w}"), ("My favourite food is {w} these days, not {v}", "{n}'s favourite food is {w} these days, not {v}")),
        },
    ),
    "car": _Attribute(
        {"first": ("a Volvo V60", "a Toyota Yaris", "a Tesla Model 3"), "second": ("a Honda Civic", "a Skoda Octavia", "a Kia Niro")},
        {
            "first": (("I drive {v}", "{n} drives {v}"), ("My car is {v}", "{n}'s car is {v}")),
            "second": (("I get around in {v}", "{n} gets around in {v}"), ("The car I own is {v}", "The car {n} owns is {v}")),
        },
        {
            "first": (("My new car is {w}", "{n}'s new car is {w}"), ("I traded {v} in for {w}", "{n} traded {v} in for {w}")),
            "second": (("I replaced my car, now I drive {w}", "{n} replaced the car and now drives {w}"), ("I sold {v} and bought {w}", "{n} sold {v} and bought {w}")),
        },
    ),
    "diet": _Attribute(
        {"first": ("vegetarian", "vegan", "pescatarian"), "second": ("vegan", "vegetarian", "gluten-free")},
        {
            "first": (("I'm {v}", "{n} is {v}"),),
            "second": (("I eat {v}", "{n} eats {v}"), ("My diet is {v}", "{n}'s diet is {v}")),
        },
        {
            "first": (("I'm no longer {v}", "{n} is no longer {v}"), ("I've stopped being {v}", "{n} has stopped being {v}")),
            "second": (("I don't eat {v} anymore", "{n} doesn't eat {v} anymore"), ("My diet changed from {v} to {w}", "{n}'s diet changed from {v} to {w}")),
        },
    ),
    "meeting day": _Attribute(
        _DAYS,
        {
            "first": (("The standup is on {v}s", "The standup is on {v}s"), ("Our book club meets on {v}s", "Our book club meets on {v}s")),
            "second": (("The weekly review is on {v}", "The weekly review is on {v}"), ("Choir practice is every {v}", "Choir practice is every {v}")),
        },
        {
            "first": (("We moved the standup to {w}s", "The standup was moved to {w}s"), ("Our book club now meets on {w}s", "Book club has switched to {w}s")),
            "second": (("The weekly review has been rescheduled to {w}", "The weekly review is on {w} now"), ("Choir practice is on {w} from now on", "Choir practice moved from {v} to {w}")),
        },
    ),
    "deadline": _Attribute(
        {"first": ("3 May", "9 June", "21 August"), "second": ("March 14", "July 1", "October 30")},
        {
            "first": (("The deadline for the report is {v}", "The deadline for the report is {v}"), ("The report is due on {v}", "The report is due on {v}")),
            "second": (("The grant application is due {v}", "The grant application is due {v}"), ("We have until {v} to hand in the grant application", "They have until {v} to hand in the grant application")),
        },
        {
            "first": (("The deadline for the report was pushed back to {w}", "The deadline for the report has been extended to {w}"), ("The report is now due on {w}", "The report is now due on {w}")),
            "second": (("The due date of the grant application was changed to {w}", "The due date of the grant application was changed to {w}"), ("The grant application is now due {w}", "The grant application is due {w} instead of {v}")),
        },
    ),
    "head": _Attribute(
        _PEOPLE,
        {
            "first": (("The CEO of Globex is {v}", "{v} is the CEO of Globex"), ("Globex's CEO is {v}", "{v} leads Globex as CEO")),
            "second": (("The mayor of Utrecht is {v}", "{v} is the mayor of Utrecht"), ("Utrecht's mayor is {v}", "{v} serves as mayor of Utrecht")),
        },
        {
            "first": (("{w} became the CEO of Globex", "{w} is the new CEO of Globex"), ("Globex appointed {w} as CEO", "{w} replaced {v} as CEO of Globex")),
            "second": (("The new mayor of Utrecht is {w}", "{w} was elected mayor of Utrecht"), ("{w} succeeded {v} as mayor of Utrecht", "The mayor of Utrecht is now {w}")),
        },
    ),
    "tool": _Attribute(
        {"first": ("Slack", "Teams", "Zulip"), "second": ("Jira", "Linear", "Trello")},
        {
            "first": (("We use {v} for chat", "The team uses {v} for chat"),),
            "second": (("We track issues in {v}", "The team tracks issues in {v}"),),
        },
        {
            "first": (("We switched from {v} to {w}", "The team switched from {v} to {w}"), ("We migrated from {v} to {w}", "The team migrated from {v} to {w}")),
            "second": (("We replaced {v} with {w}", "The team replaced {v} with {w}"), ("We now track issues in {w} instead of {v}", "The team now tracks issues in {w} instead of {v}")),
        },
    ),
    "spouse": _Attribute(
        _PEOPLE,
        {
            "first": (("I'm married to {v}", "{n} is married to {v}"),),
            "second": (("My wife is {v}", "{n}'s wife is {v}"),),
        },
        {
            "first": (("I got married to {w}", "{n} got married to {w}"), ("I remarried, my husband is {w} now", "{n} remarried, {n}'s husband is {w} now")),
            "second": (("My new wife is {w}", "{n}'s new wife is {w}"), ("I'm now married to {w}", "{n} is now married to {w}")),
        },
    ),
    "age": _Attribute(
        {"first": ("30", "31", "42"), "second": ("27", "28", "55")},
        {"first": (("I'm {v}", "{n} is {v} years old"),), "second": (("I am {v} years old", "{n}'s age is {v}"),)},
        {"first": (("I turned {w}", "{n} turned {w}"), ("I'm {w} now", "{n} is {w} years old now")), "second": (("I just had my birthday, I'm {w}", "{n} just had a birthday and is {w} now"), ("My age is {w}", "{n} has turned {w}"))},
    ),
    "price": _Attribute(
        {"first": ("$20", "$25", "$32"), "second": ("€9", "€12", "€15")},
        {"first": (("The Pro plan costs {v} a month", "The price of the Pro plan is {v}"),), "second": (("A day pass is {v}", "A day pass costs {v}"), ("The entry fee is {v}", "They charge {v} for entry"))},
        {"first": (("The Pro plan now costs {w} a month", "The price of the Pro plan was raised to {w}"), ("The Pro plan went up to {w}", "The Pro plan is {w} a month now")), "second": (("A day pass costs {w} now", "A day pass has gone up to {w}"), ("The entry fee was raised to {w}", "The entry fee went from {v} to {w}"))},
    ),
}  # fmt: skip

_WRAPPERS = {
    "first": ("{t}.", "{t}.", "{t}!", "Hey, {u}.", "Oh, by the way, {u}.", "Just so you know: {t}.", "{t} :)", "Quick update: {t}.", "So {u}.", "FYI, {u}."),
    "second": ("{t}.", "{t}.", "{t}!", "Hi there! {t}.", "Btw {u}.", "For your files: {t}.", "{t}, just saying.", "Small news: {t}.", "Well, {u}.", "Heads up, {u}!"),
    THIRD: third.WRAPPERS,
}  # fmt: skip

_STAY: Mapping[str, Mapping[str, Sequence[tuple[str, str]]]] = {
    "many values": {
        "first": (
            ("{P} son is Ben Moe", "{P} son is Tom Moe"), ("{S} like{s} chess", "{S} like{s} hiking"), ("{S} speak{s} French", "{S} speak{s} Norwegian"),
            ("{S} visited Rome", "{S} visited Paris"), ("{P} dog is called Rex", "{P} new dog is called Bella"), ("{P} hobby is pottery", "{P} new hobby is archery"),
            ("{S} play{s} the cello", "{S} now play{s} the flute"), ("{S} read Emma", "{S} just read Dune"), ("{P} friend is Liv Aas", "{P} new friend is Omar Haddad"),
            ("{S} {am} a member of Fjord FC", "{S} {am} now a member of North FC"), ("{S} {am} allergic to nuts", "{S} {am} allergic to shellfish"), ("{S} own{s} Flat 5", "{S} own{s} Flat 7"),
            ("{P} colleague is Dana Reed", "{P} new colleague is Greta Holm"), ("{S} subscribe{s} to Time", "{S} subscribe{s} to Nature now"), ("{S} {have} a cat named Tim", "{S} {have} a cat named Mia"),
        ),
        "second": (
            ("{P} daughter is Ida Vik", "{P} daughter is Una Vik"), ("{S} enjoy{s} sailing", "{S} now enjoy{s} climbing"), ("{S} know{s} Spanish", "{S} just learned Arabic"),
            ("{S} went to Hanoi", "{S} went to Quito last month"), ("{P} parrot is called Coco", "{P} parrot is called Kiwi"), ("{S} collect{s} stamps", "{S} collect{s} coins now"),
            ("{P} sister lives in Turin", "{P} sister lives in Boston"), ("{S} watched Alien", "{S} watched Heat yesterday"), ("{P} neighbour is Paul Weber", "{P} new neighbour is Zoe Clark"),
            ("{S} volunteer{s} at Shelter One", "{S} started volunteering at Food Bank"), ("{S} can't eat gluten", "{S} can't eat lactose"), ("{S} invested in Umbra", "{S} invested in Contoso"),
            ("{P} teammate is Mia Costa", "{P} newest teammate is Ivan Petrov"), ("{S} follow{s} Wired", "{S} follow{s} Vox now"), ("{S} bought a kayak", "{S} bought a tent"),
        ),
    },
    "another subject": {
        "first": (("{P} phone number is 555 0101", "My dentist's phone number is 555 9990"), ("{S} live{s} in Oslo", "Jonas lives in Lisbon"), ("{S} work{s} at Acme", "My uncle works at Globex"), ("The CEO of Acme is Liv Aas", "The CEO of Hooli is Dana Reed"), ("The standup is on Mondays", "The party is on Tuesday"), ("{P} car is a Volvo V60", "Jonas's new car is a Tesla Model 3")),
        "second": (("{P} address is 88 King Street", "My aunt's address is 3 Mill Close"), ("{S} reside{s} in Turin", "Lena moved to Perth"), ("{S} work{s} for Umbra", "Lena now works for Contoso"), ("The mayor of Utrecht is Mia Costa", "The mayor of Ghent is Paul Weber"), ("Choir practice is every Friday", "The rehearsal dinner is on Saturday"), ("{P} boss is Zoe Clark", "Lena's new boss is Ivan Petrov")),
    },
    "another attribute": {
        "first": (("{S} live{s} in Oslo", "{S} work{s} in Lisbon"), ("{S} was born in Denver", "{S} moved to Kyoto"), ("{P} work phone is 555 0101", "{P} home phone is 555 0199"), ("{S} work{s} at Acme", "{S} studied at Ghent University"), ("{P} favorite color is blue", "{P} favorite city is Leeds"), ("{S} {am} from Austin", "{S} {am} in Bergen this week")),
        "second": (("{P} home address is 3 Mill Close", "{P} office is at 41 Park Avenue"), ("{S} grew up in Gdańsk", "{S} live{s} in Perth now"), ("{P} private email is hi@sun.example", "{P} work email is x@umbra.example"), ("{S} work{s} for Umbra", "{S} applied to Contoso"), ("{P} favourite food is ramen", "{P} favourite drink is tea"), ("{S} {am} a lawyer", "{S} {am} a parent")),
    },
    "said otherwise": {
        "first": (("{S} live{s} in Oslo", "{S} {am} based in Oslo, Norway"), ("{P} phone number is 555 0101", "{P} cell is 555-0101"), ("{S} work{s} at Acme", "{P} employer is Acme"), ("The report is due on 3 May", "The deadline for the report is still 3 May"), ("{P} manager is Dana Reed", "{S} report{s} to Dana Reed"), ("{S} live{s} in Lisbon", "{S} live{s} in Portugal")),
        "second": (("{S} reside{s} in Turin", "{P} home is in Turin"), ("{P} mobile number is +1 202 555 0143", "{P} number is 202-555-0143"), ("{S} work{s} for Blue Kite", "{S} {am} employed by Blue Kite"), ("Choir practice is every Friday", "Choir practice is on Fridays"), ("{P} GP is Dr. Patel", "{P} GP is still Dr. Patel"), ("{S} live{s} in Boston", "{S} live{s} in the United States")),
    },
    "no statement": {
        "first": (("{S} live{s} in Oslo", "{S} might move to Lisbon"), ("{S} work{s} at Acme", "{S} wish{es} to work at Globex"), ("{P} car is a Volvo V60", "{S} test-drove a Tesla Model 3"), ("{S} live{s} in Oslo", "{S} used to live in Denver"), ("{S} work{s} at Acme", "{S} had an interview at Hooli"), ("The standup is on Mondays", "Should we move the standup to Tuesdays?"), ("{S} live{s} in Oslo", "Suppose {S} moved to Kyoto"), ("{S} live{s} in Oslo", "{S} stayed in Kyoto for a week"), ("I work as a nurse", "I moved to Java from Python")),
        "second": (("{S} reside{s} in Turin", "{S} plan{s} to move to Perth"), ("{S} work{s} for Umbra", "{S} almost joined Contoso"), ("{P} boss is Zoe Clark", "{S} met Ivan Petrov"), ("{S} work{s} for Umbra", "Before that {S} worked for Vandelay"), ("{S} live{s} in Boston", "{S} {am} visiting Quito"), ("Choir practice is every Friday", "Could choir practice move to Saturday?"), ("{S} live{s} in Boston", "If {S} moved to Perth, it would be for love"), ("{P} GP is Dr. Patel", "{S} saw Dr. Novak about a knee"), ("I reside in Turin", "I switched to Rust from Go")),
    },
}  # fmt: skip


_QUESTIONS: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "residence": (("", "Where do I live?", "Where does {n} live?"),),
    "employer": (("", "Where do I work?", "Which company does {n} work for?"),),
    "occupation": (("", "What do I do for a living?", "What is {n}'s profession?"),),
    "phone number": (("", "What's my phone number?", "What is {n}'s phone number?"),),
    "e-mail address": (("", "What is my email address?", "What is {n}'s email?"),),
    "address": (("", "What is my address?", "What is {n}'s address?"),),
    "manager": (("", "Who is my manager?", "Who is {n}'s boss?"),),
    "doctor": (("dentist", "Who is my dentist?", "Who is {n}'s dentist?"), ("gp", "Who is my GP?", "Who is {n}'s GP?")),
    "favourite": (("color", "What is my favorite color?", "What is {n}'s favorite color?"), ("food", "What is my favourite food?", "What food does {n} like best?")),
    "car": (("", "What car do I drive?", "What car does {n} have?"),),
    "diet": (("", "What is my diet?", "What does {n} eat?"),),
    "meeting day": (("standup", "When is the standup?", "On which day is the standup?"), ("book club", "When does our book club meet?", "When does the book club meet?"), ("review", "When is the weekly review?", "On which day is the weekly review?"), ("choir", "When is choir practice?", "On which day is choir practice?")),
    "deadline": (("report", "When is the report due?", "What is the deadline for the report?"), ("grant", "When is the grant application due?", "Until when can the grant application be handed in?")),
    "head": (("globex", "Who is the CEO of Globex?", "Who leads Globex?"), ("utrecht", "Who is the mayor of Utrecht?", "What's the name of Utrecht's mayor?")),
    "tool": (("chat", "What do we use for chat?", "Which chat tool does the team use?"), ("issues", "Where do we track issues?", "Which issue tracker does the team use?")),
    "spouse": (("", "Who am I married to?", "Who is {n} married to?"),),
    "age": (("", "How old am I?", "How old is {n}?"),),
    "price": (("pro plan", "How much is the Pro plan?", "What does the Pro plan cost?"), ("day pass", "How much is a day pass?", "What does a day pass cost?"), ("entry", "How much is the entry fee?", "What does entry cost?")),
}  # fmt: skip
"""By a word of the older text; of the first and of the third person."""

_ANSWERED_BY_OLDER = frozenset({"another subject", "another attribute", "no statement"})

_STAY_QUESTIONS: Sequence[tuple[str, tuple[str, str]]] = (
    ("work phone", ("What is my work phone number?", "What is {n}'s work phone number?")),
    ("phone number", ("What's my phone number?", "What is {n}'s phone number?")),
    ("live{s} in", ("Where do I live?", "Where does {n} live?")),
    ("reside", ("Where do I live?", "Where does {n} live?")),
    ("work as", ("What do I do for a living?", "What is {n}'s profession?")),
    ("{S} work{s}", ("Where do I work?", "Which company does {n} work for?")),
    ("CEO of Acme", ("Who is the CEO of Acme?", "Who leads Acme?")),
    ("standup", ("When is the standup?", "On which day is the standup?")),
    ("car is", ("What car do I drive?", "What car does {n} have?")),
    ("home address", ("What is my home address?", "What is {n}'s home address?")),
    ("address is", ("What is my address?", "What is {n}'s address?")),
    ("mayor of Utrecht", ("Who is the mayor of Utrecht?", "What's the name of Utrecht's mayor?")),
    ("Choir", ("When is choir practice?", "On which day is choir practice?")),
    ("boss", ("Who is my manager?", "Who is {n}'s boss?")),
    ("born in", ("Where was I born?", "Where was {n} born?")),
    ("color", ("What is my favorite color?", "What is {n}'s favorite color?")),
    ("from Austin", ("Where am I from?", "Where is {n} from?")),
    ("grew up", ("Where did I grow up?", "Where did {n} grow up?")),
    ("email", ("What is my private email?", "What is {n}'s private email?")),
    ("food", ("What is my favourite food?", "What food does {n} like best?")),
    ("a lawyer", ("What do I do for a living?", "What is {n}'s profession?")),
    ("GP is", ("Who is my GP?", "Who is {n}'s GP?")),
    ("I reside", ("Where do I live?", "Where does {n} live?")),
)
"""By a part of the older text's template."""

_MANY_QUESTIONS: Mapping[str, Sequence[str]] = {
    "first": (
        "Who are {p} sons?", "What {do} {S} like?", "Which languages {do} {S} speak?", "Which cities {have} {S} visited?", "What are {p} dogs called?", "What hobbies {do} {S} have?",
        "What instruments {do} {S} play?", "Which books {have} {S} read?", "Who are {p} friends?", "Which clubs {am} {S} a member of?", "What {am} {S} allergic to?", "Which flats {do} {S} own?",
        "Who are {p} colleagues?", "Which magazines {do} {S} subscribe to?", "What are {p} cats called?",
    ),
    "second": (
        "Who are {p} daughters?", "What {do} {S} enjoy?", "Which languages {do} {S} know?", "Which places {have} {S} been to?", "What are {p} parrots called?", "What {do} {S} collect?",
        "Where do {p} sisters live?", "Which films {have} {S} watched?", "Who are {p} neighbours?", "Where {do} {S} volunteer?", "What can't {S} eat?", "Which firms {have} {S} invested in?",
        "Who are {p} teammates?", "Which magazines {do} {S} follow?", "What did {S} buy?",
    ),
}  # fmt: skip
"""For what has many values, in the order of its templates: both texts answer."""

_OPENERS = frozenset(
    """
    My The Our We Book Choir Please From Use You A They First Home After Delete Mail Parcels Nothing Because For
    Everyone Rent Departure Deadline Could Before As Somebody Rumour
    """.split()  # noqa: SIM905
)
"""Words that are written small inside a sentence."""


def updates(part: str, number: int, seed: int) -> list[Pair]:
    """Pairs in which the second text outdates the first, spread evenly over the attributes."""
    rng = random.Random(f"{seed}/updates/{part}")
    names = attributes(part)
    make = _third_update if part == THIRD else _update
    return [make(part, names[i % len(names)], rng) for i in range(number)]


def stays(part: str, number: int, seed: int) -> list[Pair]:
    """Pairs in which both stay true, half of them of attributes with many values; of the third part, spread evenly."""
    rng = random.Random(f"{seed}/stays/{part}")
    if part == THIRD:
        sorts = list(third.STAY)
        return [_third_stay(part, sorts[i % len(sorts)], rng) for i in range(number)]
    others = [sort for sort in _STAY if sort != "many values"]
    return [_stay(part, "many values" if i % 2 else others[i // 2 % len(others)], rng) for i in range(number)]


def attributes(part: str) -> list[str]:
    """What changes in the pairs of a part."""
    return list(third.ATTRIBUTES if part == THIRD else ATTRIBUTES)


def _third_update(part: str, name: str, rng: random.Random) -> Pair:
    of = third.ATTRIBUTES[name]
    old, new = rng.sample(list(of.values), 2)
    given = {**_subject(rng), "v": old, "w": new}
    texts = [_capital(rng.choice(templates).format(**given)) for templates in (of.states, of.updates)]
    older, newer = (_wrapped(text, part, rng) for text in texts)
    return Pair(name, older, newer, True, rng.choice(of.questions).format(**given))


def _third_stay(part: str, sort: str, rng: random.Random) -> Pair:
    *templates, asked = rng.choice(third.STAY[sort])
    given = _subject(rng)
    older, newer = (_wrapped(template.format(**given), part, rng) for template in templates)
    return Pair(sort, older, newer, False, asked.format(**given))


def _subject(rng: random.Random) -> dict[str, str]:
    """Forms of who is told of: the speaker, or somebody with a name."""
    if rng.randrange(2):
        spoken = {"S": "I", "P": "My", "p": "my", "me": "me", "s": "", "es": ""}
        return {**spoken, "am": "am", "have": "have", "do": "do"}
    who = rng.choice(third.NAMES)
    named = {"S": who, "P": f"{who}'s", "p": f"{who}'s", "me": who, "s": "s", "es": "es"}
    return {**named, "am": "is", "have": "has", "do": "does"}


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _update(half: str, name: str, rng: random.Random) -> Pair:
    attribute = ATTRIBUTES[name]
    old, new = rng.sample(list(attribute.values[half]), 2)
    place = rng.randrange(2)
    who = rng.choice(_NAMES[half])
    older, newer = rng.choice(attribute.states[half])[place], rng.choice(attribute.updates[half])[place]
    if name in ("meeting day", "deadline", "price") and not _about_the_same(older, newer):
        return _update(half, name, rng)
    given = {"v": old, "w": new, "n": who}
    asked = next(ask[place] for about, *ask in _QUESTIONS[name] if about in older.lower()).format(**given)
    return Pair(
        name, _wrapped(older.format(**given), half, rng), _wrapped(newer.format(**given), half, rng), True, asked
    )


def _about_the_same(older: str, newer: str) -> bool:
    """Whether two phrasings about a thing are about the same one."""
    things = ("standup", "book club", "review", "hoir", "report", "grant", "Pro plan", "day pass", "entry")
    found = [{thing for thing in things if thing in text.lower() or thing in text} for text in (older, newer)]
    return bool(found[0] & found[1])


def _stay(half: str, sort: str, rng: random.Random) -> Pair:
    templates = rng.choice(_STAY[sort][half])
    asks = next((ask for about, ask in _STAY_QUESTIONS if about in templates[0] and sort in _ANSWERED_BY_OLDER), None)
    is_first = rng.randrange(2) == 0
    who = rng.choice(_NAMES[half])
    given = (
        {"S": "I", "P": "My", "s": "", "es": "", "am": "am", "have": "have"}
        if is_first
        else {"S": who, "P": f"{who}'s", "s": "s", "es": "es", "am": "is", "have": "has"}
    )
    older, newer = (_wrapped(template.format(**given), half, rng) for template in templates)
    asked = "" if asks is None else asks[0 if is_first or templates[0].startswith("I ") else 1].format(n=who)
    if sort == "many values":
        asks_for_all = _MANY_QUESTIONS[half][_STAY[sort][half].index(templates)]
        asked = asks_for_all.format(
            **{**given, "p": given["P"].replace("My", "my"), "do": "do" if is_first else "does"}
        )
    return Pair(sort, older, newer, False, asked)


def _wrapped(text: str, half: str, rng: random.Random) -> str:
    if text.endswith("?"):
        return text
    opens = text.split()[0]
    lowered = text[0].lower() + text[1:] if opens in _OPENERS else text
    return rng.choice(_WRAPPERS[half]).format(t=text, u=lowered)


def parts() -> Iterator[str]:
    """Names of the parts."""
    yield from SPEAKER
