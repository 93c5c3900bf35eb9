"""`holdfast doctor`: looks at everything that Holdfast stands on, and says what to do (K-1). Changes nothing."""
