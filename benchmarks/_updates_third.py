# ruff: noqa: E501 - a phrasing to a line
"""Texts of the third part of `benchmarks._updates`, written at once and before any rule was tried on one of them.

No rule or bound may be chosen by what becomes of them: they are what is reported. `{S}`, `{P}` and `{p}` are the subject
("I", "My", "my"; "Keiko", "Keiko's", "Keiko's"), `{v}` and `{w}` the old and the new value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

SPEAKER = "Robin"
NAMES = ("Mateo", "Anneke Bos", "Yusuf", "Lakshmi", "Pia Lind", "Desmond", "Keiko", "Ruth Adler")
WRAPPERS = (
    "{t}.", "{t}.", "{t}!", "Morning! {t}.", "Right, {u}.", "One more thing: {u}.", "{t}, in case it matters.",
    "Since you keep track: {u}.", "{t} - please remember that.", "{t}, if you can believe it.", "Ha, {u}!",
)  # fmt: skip


class Attribute(NamedTuple):
    """What may change, and how it is told and asked for."""

    values: Sequence[str]
    states: Sequence[str]
    updates: Sequence[str]
    questions: Sequence[str]


ATTRIBUTES: Mapping[str, Attribute] = {
    "residence": Attribute(
        ("Lyon", "Cork", "Nairobi", "Malmö", "Osaka", "Denpasar"),
        ("{P} flat is in {v}", "{S} rent{s} a place in {v}", "{S} {have} been living in {v} for years"),
        ("{S} left {v} behind and found a flat in {w}", "The moving van has arrived: {S} live{s} in {w} as of today", "{S} ended up in {w} after all, {v} got too expensive", "Home is {w} for {me} since the first of the month"),
        ("Where {do} {S} live?", "In which city {am} {S} living?"),
    ),
    "employer": Attribute(
        ("Tessera", "Quillworks", "Banco Sur", "Helix Rail", "Ostrava Glass"),
        ("{S} {am} with {v}", "{P} paycheck comes from {v}", "{S} work{s} at {v} in the finance team"),
        ("{S} handed in {p} notice at {v}, {w} made a better offer and {S} said yes", "First week at {w} is done and {S} {am} exhausted", "{w} hired {me}", "{S} work{s} at {w} these days"),
        ("Where {do} {S} work?", "Who is {p} employer?"),
    ),
    "occupation": Attribute(
        ("plumber", "radiologist", "journalist", "pastry chef", "surveyor"),
        ("{S} {am} a {v} by trade", "{S} make{s} a living as a {v}", "{P} profession is {v}"),
        ("{S} gave up being a {v} and became a {w}", "After two years of evening classes {S} {am} a {w}", "{S} hung up the {v} job, it's {w} from here on", "{P} business card says {w} now"),
        ("What {do} {S} do for a living?", "What is {p} job?"),
    ),
    "phone number": Attribute(
        ("0151 2239 18", "+33 6 12 34 56", "070-55 21 90", "0472 81 13 40"),
        ("{P} number is {v}", "{S} can be reached at {v}", "{P} phone: {v}"),
        ("{S} got a different SIM, the number is {w}", "Delete {v}, {p} phone is {w}", "{P} old line is dead, call {w}", "{P} number is {w} since the switch to another carrier"),
        ("What is {p} phone number?", "On which number can {S} be called?"),
    ),
    "e-mail address": Attribute(
        ("rr@tessera.example", "inbox@quill.example", "mail@robin.example", "team@ostrava.example"),
        ("{P} email is {v}", "Mail to {me} goes to {v}", "{S} read{s} mail at {v}"),
        ("{v} bounces, {p} email is {w}", "{S} closed that account, the address is {w}", "Mail for {me} should go to {w} from today", "{P} email became {w} with the rebranding"),
        ("What is {p} email address?", "Which email should be used for {me}?"),
    ),
    "address": Attribute(
        ("9 Rue Cler", "230 Harbour Road", "4b Linden Court", "61 Station Parade"),
        ("{P} address is {v}", "The post for {me} goes to {v}", "{S} live{s} at {v}"),
        ("Parcels for {me} must go to {w}, {S} moved out of {v}", "{S} got the keys to {w}", "{P} street address became {w}", "{S} live{s} at {w} since the weekend"),
        ("What is {p} address?", "Where should a parcel for {me} be sent?"),
    ),
    "manager": Attribute(
        ("Sven Ek", "Carla Ruiz", "Tom Abara", "Judith Klein"),
        ("{P} manager is {v}", "{v} runs {p} team", "{S} answer{s} to {v} at work"),
        ("{v} quit, so {w} runs {p} team", "{w} is the one {S} report{s} to since the reorganisation", "They put {w} in charge of {p} team", "{P} boss is {w} these days"),
        ("Who is {p} manager?", "Who {do} {S} report to?"),
    ),
    "dentist": Attribute(
        ("Dr. Okafor", "Dr. Lindqvist", "Dr. Moreau", "Dr. Tan"),
        ("{P} dentist is {v}", "{v} looks after {p} teeth", "{S} go{es} to {v} for {p} teeth"),
        ("{v} retired, {w} is {p} dentist", "{S} found another dentist, {w}", "{w} looks after {p} teeth since {v} closed the practice", "{P} dentist is {w} these days"),
        ("Who is {p} dentist?", "Which dentist {do} {S} see?"),
    ),
    "favourite drink": Attribute(
        ("oolong", "cold brew", "ginger beer", "horchata"),
        ("{P} favourite drink is {v}", "Nothing beats {v} for {me}", "{v} is {p} favourite drink"),
        ("{P} favourite drink isn't {v} anymore, {w} is", "{w} has taken the place of {v} as {p} favourite drink", "{P} favourite drink has become {w}", "{S} went off {v}, the favourite drink is {w}"),
        ("What is {p} favourite drink?", "What {do} {S} like to drink best?"),
    ),
    "car": Attribute(
        ("a Fiat Panda", "a Subaru Outback", "an old Saab", "a Renault Zoe"),
        ("{S} {have} {v}", "{P} car is {v}", "{S} drive{s} {v} to work"),
        ("{v} broke down for good, {S} drive{s} {w}", "{S} picked up {w} from the dealer to replace {v}", "{P} car is {w} as of this week", "{S} got rid of {v} and bought {w}"),
        ("What car {do} {S} drive?", "Which car {do} {S} have?"),
    ),
    "diet": Attribute(
        ("keto", "halal", "vegetarian", "low-carb"),
        ("{S} eat{s} {v}", "{P} diet is {v}", "{S} keep{s} to a {v} diet"),
        ("{S} dropped the {v} diet and eat{s} {w}", "{S} eat{s} {w} since the check-up", "{P} diet is {w} these days", "{S} gave up on {v}, it's {w} for {me} these days"),
        ("What is {p} diet?", "Which diet {do} {S} keep to?"),
    ),
    "demo day": Attribute(
        ("Tuesday", "Thursday", "Monday", "Friday"),
        ("The sprint demo is on {v}", "We show our work every {v} in the sprint demo", "Sprint demo: {v} at three"),
        ("The sprint demo won't be on {v} anymore but on {w}", "Sprint demo slipped to {w}", "Because of the holidays the sprint demo was put on {w} for good", "{w} it is for the sprint demo, everyone agreed"),
        ("When is the sprint demo?", "On which day is the sprint demo?"),
    ),
    "deadline": Attribute(
        ("12 January", "30 April", "2 September", "18 November"),
        ("The tax return is due on {v}", "The tax return has to be in by {v}", "Deadline for the tax return: {v}"),
        ("They gave us more time for the tax return, until {w}", "The tax return has to be in by {w}, not {v}", "The tax return got a later date: {w}", "The tax office says {w} is the date for the tax return"),
        ("When is the tax return due?", "What is the deadline of the tax return?"),
    ),
    "head": Attribute(
        ("Amira Saleh", "Bruno Falk", "Nina Petrova", "Gil Torres"),
        ("{v} is the director of the Rosen Museum", "The Rosen Museum is led by {v}", "The director of the Rosen Museum is {v}"),
        ("{v} stepped down and {w} runs the Rosen Museum", "{w} has been named director of the Rosen Museum", "The Rosen Museum is led by {w} since the summer", "The board of the Rosen Museum picked {w} to lead it"),
        ("Who is the director of the Rosen Museum?", "Who leads the Rosen Museum?"),
    ),
    "tool": Attribute(
        ("Figma", "Penpot", "Sketch", "Lunacy"),
        ("We make our mockups in {v}", "Mockups are done in {v}", "For mockups we use {v}"),
        ("We dropped {v}, mockups are done in {w}", "The mockups live in {w} as of this sprint", "Our licence of {v} ran out, so we make the mockups in {w}", "Everyone makes mockups in {w} these days"),
        ("What do we use for mockups?", "In which tool are the mockups made?"),
    ),
    "partner": Attribute(
        ("Sasha Bell", "Noor Aziz", "Kim Larsen", "Toni Weiss"),
        ("{S} {am} together with {v}", "{P} partner is {v}", "{S} {am} engaged to {v}"),
        ("{S} broke up with {v} and {am} seeing {w}", "{P} partner is {w} these days", "{S} and {w} are a couple since May", "{S} got together with {w}"),
        ("Who is {p} partner?", "Who {am} {S} together with?"),
    ),
    "age": Attribute(
        ("24", "38", "47", "61"),
        ("{S} {am} {v} years of age", "{S} {am} {v}", "{P} age: {v}"),
        ("{S} celebrated turning {w}", "{w} candles on {p} cake this time", "{S} {am} {w} as of yesterday", "{S} {have} reached {w}"),
        ("How old {am} {S}?", "What is {p} age?"),
    ),
    "price": Attribute(
        ("£14", "£17", "£21", "£26"),
        ("A haircut at Toni's is {v}", "Toni's charges {v} for a haircut", "You pay {v} for a haircut at Toni's"),
        ("Toni's put the haircut up to {w}", "A haircut at Toni's will set you back {w} since January", "Toni's charges {w} for a haircut, it was {v}", "Toni's made the haircut {w}"),
        ("How much is a haircut at Toni's?", "What does Toni's charge for a haircut?"),
    ),
    "gym": Attribute(
        ("Iron Yard", "Pulse Club", "Municipal Gym", "Boxhall"),
        ("{S} train{s} at {v}", "{P} gym is {v}", "{S} work{s} out at {v}"),
        ("{S} cancelled {v}, {p} gym is {w}", "{S} train{s} at {w} since {v} closed", "{S} signed up with {w} to work out instead of {v}", "{P} gym is {w} as of this month"),
        ("Where {do} {S} work out?", "Which gym {do} {S} train at?"),
    ),
    "bank": Attribute(
        ("Union Savings", "Copper Bank", "Lakeside Credit", "Norda"),
        ("{S} bank{s} with {v}", "{P} account is at {v}", "{P} bank is {v}"),
        ("{S} closed the account at {v} and bank{s} with {w}", "{P} account is at {w} since the fees went up", "{S} took {p} money to {w}", "{w} is {p} bank as of March"),
        ("Which bank {am} {S} with?", "Where is {p} bank account?"),
    ),
    "password": Attribute(
        ("tulip-44", "harbour_9", "zebra2000", "quiet.moon"),
        ("The wifi password is {v}", "Wifi: {v} gets you in", "For the wifi you type {v}"),
        ("We had a guest too many, the wifi password is {w}", "The wifi password {v} stopped working, it's {w}", "{w} gets you into the wifi since the router was replaced", "Wifi password reset to {w}"),
        ("What is the wifi password?", "How do I get into the wifi?"),
    ),
    "departure": Attribute(
        ("07:15", "09:40", "13:05", "18:30"),
        ("{P} train to Basel leaves at {v}", "Departure of {p} train to Basel: {v}", "{S} take{s} the {v} train to Basel"),
        ("{P} train to Basel was rebooked, it leaves at {w}", "The train to Basel leaves at {w}, the one at {v} is cancelled", "{S} take{s} the {w} train to Basel after all", "The railway put {me} on the {w} to Basel"),
        ("When does {p} train to Basel leave?", "At what time {do} {S} leave for Basel?"),
    ),
    "landlord": Attribute(
        ("Mr. Osei", "Mrs. Blum", "Ms. Duarte", "Mr. Hagen"),
        ("{P} landlord is {v}", "{S} rent{s} from {v}", "{S} pay{s} the rent to {v}"),
        ("The house was sold, {p} landlord is {w}", "{S} pay{s} the rent to {w} since {v} sold the flat", "{w} bought the building and is {p} landlord", "Rent goes to {w} instead of {v}"),
        ("Who is {p} landlord?", "Who {do} {S} rent from?"),
    ),
    "status": Attribute(
        ("in review", "on hold", "in production", "cancelled"),
        ("Project Heron is {v}", "The status of Project Heron is {v}", "Heron is {v} as far as the project goes"),
        ("Project Heron went from {v} to {w}", "Project Heron is {w} as of this morning", "We decided in the meeting: Project Heron is {w}", "Status of Project Heron: {w}"),
        ("What is the status of Project Heron?", "How is Project Heron going?"),
    ),
}  # fmt: skip

STAY: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "another subject": (
        ("{S} work{s} at Tessera", "My cousin works at Quillworks", "Where {do} {S} work?"),
        ("{S} {am} with Banco Sur", "My father-in-law took a job at Helix Rail", "Who is {p} employer?"),
        ("{P} flat is in Lyon", "My brother just moved to Cork", "Where {do} {S} live?"),
        ("{S} rent{s} a place in Osaka", "Our trainee lives in Malmö now", "In which city {am} {S} living?"),
        ("{P} number is 070-55 21 90", "The plumber's number is 0151 2239 18", "What is {p} phone number?"),
        ("{P} email is rr@tessera.example", "The school's new email is inbox@quill.example", "What is {p} email address?"),
        ("{P} car is an old Saab", "The neighbours got a Renault Zoe", "What car {do} {S} drive?"),
        ("{P} dentist is Dr. Okafor", "My son's dentist is now Dr. Tan", "Who is {p} dentist?"),
        ("{P} manager is Carla Ruiz", "The new manager of the other team is Tom Abara", "Who is {p} manager?"),
        ("The director of the Rosen Museum is Bruno Falk", "The new director of the Hall Museum is Gil Torres", "Who is the director of the Rosen Museum?"),
        ("The sprint demo is on Tuesday", "The team lunch was moved to Friday", "When is the sprint demo?"),
        ("The tax return is due on 30 April", "The insurance form is now due on 2 September", "When is the tax return due?"),
        ("A haircut at Toni's is £17", "A haircut at Mario's is £26 now", "How much is a haircut at Toni's?"),
        ("{P} landlord is Mrs. Blum", "My sister's landlord is Mr. Hagen", "Who is {p} landlord?"),
        ("{S} {am} 38", "My mother turned 61", "How old {am} {S}?"),
    ),
    "another attribute": (
        ("{P} favourite drink is oolong", "{P} favourite dessert is baklava", "What is {p} favourite drink?"),
        ("{S} {am} a plumber by trade", "{S} {am} a volunteer firefighter", "What is {p} job?"),
        ("{S} live{s} in Cork", "{S} grew up in Nairobi", "Where {do} {S} live?"),
        ("{S} {am} from Denpasar", "{S} live{s} in Malmö now", "Where {am} {S} from?"),
        ("{P} gym is Boxhall", "{P} climbing hall is Pulse Club", "Which gym {do} {S} train at?"),
        ("{P} dentist is Dr. Moreau", "{P} eye doctor is Dr. Lindqvist", "Who is {p} dentist?"),
        ("{P} train to Basel leaves at 07:15", "{P} train back from Basel leaves at 18:30", "When does {p} train to Basel leave?"),
        ("The wifi password is tulip-44", "The alarm code is 9931 now", "What is the wifi password?"),
        ("{P} work email is team@ostrava.example", "{P} private email is mail@robin.example", "What is {p} work email?"),
        ("{P} address is 9 Rue Cler", "{P} studio is at 4b Linden Court", "What is {p} address?"),
        ("{P} partner is Noor Aziz", "{P} business partner is Kim Larsen", "Who {am} {S} together with?"),
        ("A haircut at Toni's is £17", "A shave at Toni's is £21", "How much is a haircut at Toni's?"),
        ("The status of Project Heron is on hold", "The budget of Project Heron was raised to £26", "What is the status of Project Heron?"),
        ("{P} mother tongue is Dutch", "{S} started learning Korean", "What is {p} mother tongue?"),
        ("{S} studied in Lyon", "{S} moved to Osaka", "Where did {S} study?"),
    ),
    "no statement": (
        ("{S} work{s} at Quillworks", "{S} might apply at Tessera", "Where {do} {S} work?"),
        ("{S} live{s} in Lyon", "{S} would love to live in Osaka one day", "Where {do} {S} live?"),
        ("{P} car is a Fiat Panda", "{S} looked at a Renault Zoe at the dealer", "What car {do} {S} drive?"),
        ("The sprint demo is on Monday", "Could we do the sprint demo on Thursday?", "When is the sprint demo?"),
        ("{P} gym is Iron Yard", "{S} had a trial week at Pulse Club", "Which gym {do} {S} train at?"),
        ("{P} bank is Norda", "{S} {am} thinking about opening an account at Copper Bank", "Which bank {am} {S} with?"),
        ("{P} landlord is Mr. Osei", "Rumour has it that Ms. Duarte will buy the house", "Who is {p} landlord?"),
        ("{S} live{s} in Cork", "{S} spent the summer in Denpasar", "Where {do} {S} live?"),
        ("{S} {am} a journalist by trade", "As a child {S} wanted to be a pastry chef", "What is {p} job?"),
        ("{P} manager is Sven Ek", "{S} had lunch with Judith Klein from the other office", "Who is {p} manager?"),
        ("{P} partner is Toni Weiss", "{S} danced with Sasha Bell at the wedding", "Who is {p} partner?"),
        ("The tax return is due on 12 January", "If we ask nicely the tax return may be due on 30 April", "When is the tax return due?"),
        ("We make our mockups in Figma", "Somebody suggested we make our mockups in Penpot", "What do we use for mockups?"),
        ("{P} dentist is Dr. Tan", "{S} saw Dr. Moreau once when Dr. Tan was on holiday", "Who is {p} dentist?"),
        ("{S} eat{s} halal", "{S} tried keto for three days", "What is {p} diet?"),
    ),
    "the past": (
        ("{S} live{s} in Malmö", "{S} lived in Nairobi as a student", "Where {do} {S} live?"),
        ("{S} work{s} at Tessera", "Before that {S} was at Helix Rail", "Where {do} {S} work?"),
        ("{P} car is a Subaru Outback", "{P} first car was a Fiat Panda", "What car {do} {S} drive?"),
        ("{P} dentist is Dr. Lindqvist", "{P} dentist used to be Dr. Okafor", "Who is {p} dentist?"),
        ("{P} partner is Kim Larsen", "{P} ex is Sasha Bell", "Who is {p} partner?"),
        ("The director of the Rosen Museum is Nina Petrova", "Amira Saleh was the director of the Rosen Museum in the nineties", "Who is the director of the Rosen Museum?"),
        ("A haircut at Toni's is £21", "A haircut at Toni's was £14 when {S} came here first", "How much is a haircut at Toni's?"),
        ("{P} gym is Boxhall", "{S} trained at Municipal Gym back in school", "Which gym {do} {S} train at?"),
        ("{S} {am} a surveyor by trade", "{S} worked as a plumber years ago", "What is {p} job?"),
        ("{P} landlord is Mrs. Blum", "{P} last landlord was Mr. Hagen", "Who is {p} landlord?"),
        ("We make our mockups in Sketch", "Our mockups were made in Lunacy until 2019", "What do we use for mockups?"),
        ("{P} number is 0472 81 13 40", "{P} number was 0151 2239 18 when {S} lived abroad", "What is {p} phone number?"),
    ),
    "many values": (
        ("{S} like{s} jazz", "{S} like{s} techno", "What music {do} {S} like?"),
        ("{S} {have} visited Peru", "{S} just visited Iceland", "Which countries {have} {S} visited?"),
        ("{P} daughter is called Mila", "{P} second daughter is called Iris", "What are {p} children called?"),
        ("{P} son Levi is three", "{P} son Aaron was born today", "Who are {p} sons?"),
        ("{S} speak{s} Dutch", "{S} speak{s} Korean too", "Which languages {do} {S} speak?"),
        ("{P} hobby is beekeeping", "{S} took up fencing", "What are {p} hobbies?"),
        ("{S} {am} allergic to pollen", "{S} {am} allergic to penicillin", "What {am} {S} allergic to?"),
        ("{S} play{s} the viola", "{S} learned to play the drums", "What instruments {do} {S} play?"),
        ("{S} read The Trial", "{S} finished Middlemarch", "Which books {have} {S} read?"),
        ("{P} best friend is Levi Stone", "{S} made a new friend, Aaron Pike", "Who are {p} friends?"),
        ("{S} {have} a cat called Fig", "{S} adopted a cat called Plum", "What pets {do} {S} have?"),
        ("{S} love{s} dumplings", "{S} love{s} ceviche", "What food {do} {S} love?"),
        ("{S} own{s} a cabin in Norway", "{S} bought a cabin in Wales", "What property {do} {S} own?"),
        ("{S} follow{s} Arsenal", "{S} follow{s} the Lakers", "Which teams {do} {S} follow?"),
        ("{S} volunteer{s} at the library", "{S} volunteer{s} at the animal shelter", "Where {do} {S} volunteer?"),
        ("{P} colleague is Gil Torres", "{P} new colleague is Amira Saleh", "Who {do} {S} work with?"),
        ("{S} hate{s} mushrooms", "{S} can't stand olives", "What food {do} {S} hate?"),
        ("{S} watched Solaris", "{S} watched Stalker yesterday", "Which films {have} {S} seen?"),
    ),
}  # fmt: skip
"""Older text, newer text, and what the older one answers; of what has many values, both do."""
