"""Words that tell a place from what only stands where a place could."""

from __future__ import annotations

COMMON_PLACES: frozenset[str] = frozenset(
    """
    home work school office university college campus kindergarten daycare gym pool park playground garden backyard
    kitchen bedroom bathroom garage basement attic balcony beach lake river forest woods mountains countryside farm
    library bookstore bookshop museum gallery theater theatre cinema stadium arena zoo aquarium hospital clinic pharmacy
    dentist
    airport station harbor harbour port hotel hostel motel airbnb resort restaurant cafe café coffeehouse bar
    pub
    bakery diner market supermarket mall shop store warehouse factory lab laboratory studio workshop church mosque
    temple
    synagogue cathedral cemetery courthouse prison embassy bank downtown suburbs village festival fair court hairdresser
    barbershop salon spa courtyard rooftop trailhead campsite campground conference headquarters hq cabin cottage
    apartment dorm dormitory shelter studio boathouse marina pier island vet
    """.split()  # noqa: SIM905 - one word a line would be 100 lines
)
"""Everyday places that are named by a noun ("at the gym"); single words, lower case."""

NO_PLACES: frozenset[str] = frozenset(
    """
    monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun january february march april
    may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec spring
    summer autumn fall winter christmas easter halloween thanksgiving ramadan hanukkah diwali eid yesterday today
    tomorrow tonight morning afternoon evening night noon midnight weekend week month year
    english french german spanish italian portuguese russian chinese japanese korean arabic hindi dutch swedish latin
    python java javascript typescript rust golang sql html css pytorch numpy pandas json yaml excel
    i he she it we they you him her his them us me my our your their its mr mrs ms dr the this that these those what
    who which when where why how ok okay yes no please also all any some one first last next general particular fact
    order case time least
    """.split()  # noqa: SIM905 - one word a line would be 100 lines
)
"""Words that follow "in", "at" or "to" and name no place; lower case."""
