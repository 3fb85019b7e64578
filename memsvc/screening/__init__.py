"""Secrets and personal data in what is written: found before anything is stored, analysed or embedded."""
