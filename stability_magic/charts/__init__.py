"""Pictures of readings; the only importer of matplotlib.

Begin with ``plots``, which holds the public functions. ``composition`` puts up to four
organizations together from ``balance_panel`` and ``spend_panel``, ``rows`` more of them,
``watch_picture`` a watch.
``sheet`` is the figure, ``style`` its colours, ``axes`` what all panels share.
``picture_data``, ``thinning``, ``placing``, ``ticks``, ``words`` and ``headline`` compute what is
shown and draw nothing.

May import ``analysis``, ``display`` and the modules at the top of the package.
"""
