"""Many pictures -> one table: on this machine's cores, on a Ray cluster, or on many nodes.

:mod:`.entries` lists what is to be read, :mod:`.work` keeps that list in shards (:mod:`.shards`)
on disk with what is done of them, :mod:`.reading` reads a shard, :mod:`.local` and
:mod:`.ray_engine` have that done by others, :mod:`.run` drives them, and :mod:`.tally` and
:mod:`.terminal` say what came out.
"""
