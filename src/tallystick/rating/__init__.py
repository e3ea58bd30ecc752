"""Rating: from jobs and ranks to cost. Pure functions of their arguments; knows no store, clock or wire."""
