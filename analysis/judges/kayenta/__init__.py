"""Kayenta's judgement (NetflixACAJudge-v1.0) computed here: Mann-Whitney per metric, a weighted score.

Duty: ``samples`` prepares values, ``ranks`` compares two samples (``roots`` finds where its curve crosses
zero), ``classify`` names a metric Pass, High, Low or Nodata, ``score`` joins metrics to a verdict, ``run``
keeps the order of judgements. Pure, standard library only. Promises the labels and scores that Kayenta gives
for the same values, its weaknesses included: values are taken as independent, a shift counts however small it
is unless an effect size is set, and looking often is not corrected for. ``corroborated`` beside it is the
judge that is calibrated for being watched.
"""
