"""The genuine server and ours run the same scripts; what they say is compared.

To add a case, add a ``Scenario`` to a module of ``scenarios``: lines to send, and what the world
does meanwhile, see ``world``; files in the home, flags. To allow a difference, add a rule to
``differences.py`` or ``login_differences.py``, and its line to ``docs/differences.md``.
"""
