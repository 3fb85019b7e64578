"""Makes `retrieval/late/token_means.json`: the mean state of each packaged model's tokens in plain English.

    python -m benchmarks.token_means [--check]

The text was written for this purpose: talk, narration, facts, instructions and questions, a few lines of each, every
line read in the light of the one before. What is wanted is the direction that all states of a model share, so that any
plain text will do. Stored codes were made with the numbers in the file: they must stay what they are (`--check` says
whether they would come out again).
"""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np

from retrieval.embedders import packaged
from retrieval.late.means import FILE, mean_state
from retrieval.types import Passage

PLAIN_ENGLISH = """
Good morning! Did you sleep well after that long drive yesterday?
Not really, the neighbours had a party until two. How was your evening?
I stayed in and cooked soup. My sister came by with her kids, which was lovely.
Oh, that sounds nice! How old are they now?
The boy turned six in March and the little one just started to walk.
Wow, time flies. We should all meet up some weekend soon.
Yes, please! I'm free on Sunday, unless my shift changes again.
Sunday works for me. Shall I bring anything, maybe some cake?
Only if you want to. We already have plenty of fruit and bread.
Thanks for listening the other day, by the way. It really helped me.
Of course, that's what friends are for. How are things at work now?
Better, actually. My boss apologised, and I'm going to lead the next project.
That's great news! I knew they would notice how hard you try.
I was so nervous before the interview that I forgot my own phone number.
Ha, that happens to everyone. What did they ask you?
Mostly about teamwork and what I would do differently a second time.
I finally signed up for the pottery class we talked about.
No way! I've wanted to try that since we were at college.
You could join me, they still have two places on Thursday evenings.
I'd love to, but I have choir practice then. Is there another group?
We adopted a dog last month. He's scared of the vacuum cleaner.
Aww, what's his name? Please send me a picture!
He's called Biscuit, because of his colour and because he steals them.
My doctor says I should walk more and worry less.
That is good advice for all of us, I guess.
I'm sorry to hear about your grandmother. She was always so kind to me.
Thank you. We had a small service, and everybody told stories about her.
Have you ever been to the coast in winter? It's empty and beautiful.
Once, when I was a child. I remember the wind and hot chocolate afterwards.
Let's go together in December, then. I'll look for a cheap place to stay.
The old man closed the shop a little earlier than usual and walked down to the harbour.
Rain had fallen all night, and the road to the village was under water.
She opened the letter, read it twice, and put it back without a word.
By the time they reached the station, the last train had already left.
In the summer of that year the family moved to a smaller house near the river.
He kept the photograph in a drawer with his keys and some foreign coins.
Nobody in the town could remember when the bridge had been built.
The children ran across the field to see who would be first at the tree.
For three weeks there was no news, and then a telegram arrived.
When the music stopped, people stood for a moment and did not know where to look.
Her brother had promised to write, but he was never good at keeping promises.
They painted the kitchen yellow, planted beans, and waited for the spring.
The captain looked at the sky and ordered everyone below.
Late in the afternoon a stranger knocked at the door and asked for water.
It was the first time in years that he had slept until noon.
The river is about four hundred kilometres long and flows into the northern sea.
The city was founded in the twelfth century and has two million inhabitants.
Water boils at a lower temperature on high mountains because the pressure of the air is lower.
The author of the novel was born in a mining town and studied law.
The company was sold in 1998 and moved its headquarters to the capital.
Bees can see ultraviolet light, which helps them to find flowers.
The treaty ended a war that had lasted for nearly thirty years.
Patients who received the treatment recovered two days earlier on average.
The results suggest that sleep has an effect on how well we remember what we learned.
The museum shows paintings, coins and tools from the region.
The minister said on Tuesday that the new law would come into force next year.
Prices rose by three percent in April, more than economists had expected.
The team won the final by two goals and will play abroad in autumn.
Several studies found no difference between the two groups.
The virus spreads mainly through the air, in particular in rooms without windows.
The film was shot on an island and received an award for its music.
Gold is soft, heavy and does not rust.
The president of the association is elected every four years by its members.
Most of the energy that the country needs comes from wind and water.
The library holds about one hundred thousand books and is open to everybody.
To reset the device, hold the button for ten seconds until the light turns red.
Mix the flour with the butter, add two eggs, and bake for half an hour.
First check the cable, then restart the router and wait for a minute.
Click on the menu, choose Settings, and enter the new password twice.
If the file does not exist, create it before you run the script.
Send the request with your key in the header and read the answer as JSON.
This tool finds flights and hotels for a given city and date.
Upload an image and get back a list of the objects that it shows.
The function takes a list of numbers and returns their mean.
You can use this service to translate a web page into another language.
Turn off the water, remove the old seal, and screw the new one in by hand.
Book the room for six people and order lunch for half past twelve.
The error means that the server could not be reached in time.
Back up the database every night and test once a month that it can be restored.
Write down what you spent today, and compare it with your plan at the end of the month.
Remind me to call the dentist tomorrow at nine.
What is the best way to learn a language in a few months?
Can you recommend a restaurant near the station that is open late?
I would like to know how much the tickets cost and whether dogs are allowed.
Please summarise the report in three sentences and list the open questions.
I prefer tea to coffee, and I don't eat meat.
Could you write a short speech for my father's birthday? He likes sailing and bad jokes.
Let me explain: a loan with a fixed rate costs the same every month.
Here are a few ideas for your holiday, sorted by how long the journey takes.
That is a good question. It depends on how often you use it and what you want to pay.
"""


def main() -> None:
    """Write the file, or compare with it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if other numbers come out")
    check = parser.parse_args().check
    made = {name: mean_of_model(name) for name in packaged.MODELS}
    if not check:
        lines = [f"  {json.dumps(name)}: {json.dumps(numbers)}" for name, numbers in made.items()]
        FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        return
    for name, numbers in made.items():
        kept = mean_state(name)
        if kept is None or np.abs(kept - np.array(numbers)).max() > 0.001:
            sys.exit(f"{name}: other numbers than in {FILE.name}")


def mean_of_model(name: str) -> list[float]:
    """Mean unit state of the content tokens, rounded to four decimals."""
    lines = PLAIN_ENGLISH.strip().split("\n")
    encoded = packaged.load(name).encode_documents(
        [Passage(line, before) for line, before in zip(lines, ["", *lines], strict=False)]
    )
    states = np.concatenate([one.tokens for one in encoded if one.tokens is not None])
    return [round(float(number), 4) for number in states.mean(axis=0, dtype=np.float64)]


if __name__ == "__main__":
    main()
