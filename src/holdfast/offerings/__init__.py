"""What staff set up while the business runs: services, resources with their hours, programs with their schedules.

Every change names the state that it was made from and is refused when that is no longer the state. What is booked
stays as it is, whatever is changed.
"""
