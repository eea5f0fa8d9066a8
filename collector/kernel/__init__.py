"""The kernel side: loads the sampling program, attaches it to events, reads what it counts.

    with Sampler(frequency_hz=99) as sampler:
        time.sleep(10)
        drain = sampler.drain()

A drain holds addresses; `collector.symbols` names them. The other entrances are
`command.Command`, which starts a program that is sampled from its first instruction, and
`check.inspect`, which tells what this node offers.
"""
