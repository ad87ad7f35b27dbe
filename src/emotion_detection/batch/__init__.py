"""Classify many images into one table: on all cores, on a Ray cluster, or on many nodes.

:mod:`.input_files` lists the files, :mod:`.job_folder` keeps the list in shards on disk
together with their results. :mod:`.classify` classifies a shard; :mod:`.local_engine` and
:mod:`.ray_engine` distribute shards over processes and machines; :mod:`.job` drives them.
:mod:`.output` counts the results, :mod:`.terminal` shows them.
"""
