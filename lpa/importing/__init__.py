"""Results that were computed elsewhere, brought into a run: ``lpa import``. Without torch.

What is read, one file per line of the table below, several of them per run:

==================  ============================================================================
file                holds
==================  ============================================================================
``.csv``            one row per prediction, UTF-8, with a line of column names
``.parquet``        the same; a column of lists holds the k best classes
``.npz``            arrays: ``logits`` or ``probabilities`` [N, classes], optionally ``sample``
                    (or ``name``, ``names``, ``samples``) and ``label`` (or ``labels``) [N]; or
                    ``prediction`` [N]. Never unpickled: names are text arrays, not objects
==================  ============================================================================

Columns are those of the waist (:data:`~lpa.importing.columns.TARGETS`), or are mapped to them with
``--map``. Three layouts are recognised:

predictions
    ``sample``, ``prediction`` (a class by name or index, or a list of the k best, or the columns
    ``prediction_0``, ``prediction_1``, ...), optionally ``label``, ``prediction_probability``,
    ``label_probability``, ``label_rank``, ``model``, ``axis``, ``value``, ``replicate``, ``split``
    and, beside an index as ``label``, its name as ``class``.
timm
    What timm's ``inference.py`` writes as CSV or Parquet: ``filename``, ``index`` and/or ``label``
    (here the *predicted* class) and ``prob`` or ``logit``, for any ``--topk``, with or without
    ``--results-separate-col`` (``index_0``, ``label_0``, ``prob_0``, ...).
counts
    Per training run and class: ``class``, ``n`` and ``correct`` or ``accuracy``, with the
    coordinates as above.

``label_rank`` is the label's place in a list of the k best, and null where it is not in the list.
"""
