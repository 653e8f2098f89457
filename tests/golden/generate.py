#!/usr/bin/env python3
"""Writes the golden numbers in this folder. Run by hand; running the tests never needs Python.

    python3 tests/golden/generate.py

Needs numpy, scipy >= 1.11 and statsmodels. The versions used are written into every file. Every case holds its
inputs, or an integer rule that rebuilds them exactly (`rebuild`), the literal `call` that gave the expected values,
and the values as shortest round-trip floats. Where the library loses digits or underflows too early, exact rational or
100-digit decimal arithmetic takes its place, and `call` says so.
"""

import json
import math
import pathlib
import warnings
from decimal import Decimal, getcontext
from fractions import Fraction

import numpy as np
import scipy
import statsmodels
from scipy import stats
from scipy.spatial.distance import jensenshannon
from statsmodels.stats.proportion import proportion_confint

HERE = pathlib.Path(__file__).resolve().parent
VERSIONS = {"numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__}
getcontext().prec = 100


def write(name, about, cases):
    """One file: the versions, what the numbers are, and the cases, one per line."""
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names), f"{name}: duplicate case names"
    head = {"about": about, "versions": VERSIONS}
    lines = ",\n".join("    " + json.dumps(case, allow_nan=False) for case in cases)
    text = json.dumps(head, indent=2)[:-2] + ',\n  "cases": [\n' + lines + "\n  ]\n}\n"
    json.loads(text)
    (HERE / name).write_text(text)
    print(f"{name}: {len(cases)} cases, {len(text)} bytes")


# --- samples -------------------------------------------------------------------------------------------------------


def arange_mod(n, multiplier, modulus, shift=0):
    return {"kind": "arange_mod", "n": n, "multiplier": multiplier, "modulus": modulus, "shift": shift}


def square_mod(n, multiplier, modulus, shift=0):
    return {"kind": "square_mod", "n": n, "multiplier": multiplier, "modulus": modulus, "shift": shift}


def rebuild(sample):
    """A list is the sample itself. A rule is evaluated in integers: (i*multiplier mod modulus) + shift for
    `arange_mod`, (i*i*multiplier mod modulus) + shift for `square_mod`, for i in 0..n."""
    if isinstance(sample, list):
        return sample
    power = {"arange_mod": 1, "square_mod": 2}[sample["kind"]]
    multiplier, modulus, shift = sample["multiplier"], sample["modulus"], sample["shift"]
    return [(i**power * multiplier) % modulus + shift for i in range(sample["n"])]


# --- Kolmogorov-Smirnov --------------------------------------------------------------------------------------------


def ks_numerator(x, y):
    """D = h / lcm(n, m), exactly, in integers: (h, lcm)."""
    n, m = len(x), len(y)
    g = math.gcd(n, m)
    values = np.unique(np.concatenate([x, y]).astype(float))
    below_x = np.searchsorted(np.sort(np.asarray(x, float)), values, side="right").astype(object)
    below_y = np.searchsorted(np.sort(np.asarray(y, float)), values, side="right").astype(object)
    return int(max(abs(below_x * (m // g) - below_y * (n // g)))), n * m // g


def count_paths(n, m, h):
    """P(D >= h / lcm) under the null, as an exact fraction (Hodges 1958): lattice paths from (0, 0) to (n, m) that
    somewhere meet |x/n - y/m| >= h / lcm, over all paths. For n = m the reflection principle gives the closed sum
    2 sum_k (-1)^(k-1) C(2n, n - kh) / C(2n, n)."""
    if h <= 0:
        return Fraction(1)
    total = math.comb(n + m, n)
    if n == m:
        outside = sum((-1) ** (k - 1) * math.comb(2 * n, n - k * h) for k in range(1, n // h + 1))
        return Fraction(2 * outside, total)
    g = math.gcd(n, m)
    step_x, step_y = m // g, n // g
    row = [0] * (m + 1)
    for x in range(n + 1):
        left = 0
        for y in range(m + 1):
            if abs(x * step_x - y * step_y) >= h:
                row[y] = 0
            elif x == 0 and y == 0:
                row[y] = 1
            else:
                row[y] += left
            left = row[y]
    return 1 - Fraction(row[m], total)


KS_SCIPY = [
    ("one against one, different", [1], [2]),
    ("one against one, equal", [1], [1]),
    ("one against three", [2], [1, 2, 3]),
    ("three against four", [1, 2, 3], [2, 3, 4, 5]),
    ("two against five, disjoint", [1, 2], [3, 4, 5, 6, 7]),
    ("identical, distinct values", [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8]),
    ("identical multisets, other order", [3, 1, 2, 2, 5], [2, 5, 3, 2, 1]),
    ("both constant and equal", [7] * 9, [7] * 12),
    ("both constant, different", [7] * 9, [8] * 12),
    ("constant against varying", [3] * 10, [1, 2, 3, 4, 5]),
    ("ties within and across", [1, 1, 2, 2, 2, 3, 5, 5], [1, 2, 2, 3, 3, 3, 4, 5, 5, 5]),
    ("zero-inflated", [0, 0, 0, 0, 0, 0, 1, 2, 3, 4], [0, 0, 0, 1, 1, 2, 5, 6]),
    ("negative and fractional", [-1.5, -0.25, 0.0, 0.125, 2.75], [-2.0, -1.5, -1.0, 0.25]),
    ("subnormal and huge", [5e-324, 1e-308, 1.0, 1e308], [0.0, 1e-310, 1e300, 1.7e308, 1.75e308]),
    ("signed zeros are equal", [0.0, 1.0, 2.0], [-0.0, 1.0, 3.0]),
    ("binary", [0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1]),
    ("five against five, disjoint", [1, 2, 3, 4, 5], [6, 7, 8, 9, 10]),
    ("seven against eleven", arange_mod(7, 3, 11), arange_mod(11, 5, 13, 1)),
    ("ten against fifteen, common factor", arange_mod(10, 7, 23), arange_mod(15, 4, 29, 2)),
    ("twelve against thirty", square_mod(12, 1, 31), square_mod(30, 3, 37)),
    ("20 = 20", square_mod(20, 1, 41), square_mod(20, 1, 43, 4)),
    ("50 = 50, squares", square_mod(50, 1, 101), square_mod(50, 2, 103, 9)),
    ("97 against 101, coprime", arange_mod(97, 31, 97), arange_mod(101, 37, 101, 12)),
    ("100 against 150, ties", arange_mod(100, 7, 10), arange_mod(150, 7, 12)),
    ("200 against 1", arange_mod(200, 77, 200), [200]),
    ("200 against 2", arange_mod(200, 77, 200), [197, 198]),
    ("613 against 73, D small", arange_mod(613, 101, 613), square_mod(73, 11, 613)),
    ("613 against 73, D moderate", arange_mod(613, 101, 613), arange_mod(73, 5, 500, 150)),
    ("613 against 73, D large", arange_mod(613, 101, 613), arange_mod(73, 5, 250, 350)),
    ("613 against 73, twenty tied values", arange_mod(613, 101, 20), arange_mod(73, 7, 20, 3)),
    ("613 against 73, constant current", arange_mod(613, 101, 613), arange_mod(73, 0, 1, 306)),
    ("613 against 40", arange_mod(613, 101, 613), square_mod(40, 3, 601, 60)),
    ("613 against 420", arange_mod(613, 101, 613), arange_mod(420, 11, 613, 30)),
    ("613 = 613, shifted by 50", arange_mod(613, 101, 613), arange_mod(613, 102, 613, 50)),
    ("1000 against 999, coprime", arange_mod(1000, 7, 1000), arange_mod(999, 7, 999, 45)),
    ("5000 against 2500, multiple", arange_mod(5000, 3, 5000), arange_mod(2500, 7, 5000, 160)),
    ("4096 against 6144, common factor 2048", arange_mod(4096, 5, 4096), arange_mod(6144, 5, 4096, 120)),
    ("10000 against 73", arange_mod(10000, 7, 10000), square_mod(73, 29, 9973, 800)),
    ("10000 against 9999, D moderate", arange_mod(10000, 7, 10000), arange_mod(9999, 7, 9999, 170)),
    ("10000 against 9999, D small", arange_mod(10000, 7, 10000), arange_mod(9999, 7, 9999, 40)),
    ("10000 against 9999, D large", arange_mod(10000, 7, 10000), arange_mod(9999, 7, 9999, 1500)),
    ("10000 = 10000, D 0.006", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 60)),
    ("10000 = 10000, D 0.015", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 150)),
    ("10000 = 10000, D 0.02", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 200)),
    ("10000 = 10000, identical", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000)),
]

KS_EXACT = [
    ("exact: 5 against 7", [1, 2, 3, 4, 9], [5, 6, 7, 8, 10, 11, 12]),
    ("exact: 613 against 73, p about 6e-4", arange_mod(613, 101, 613), arange_mod(73, 5, 500, 150)),
    ("exact: 613 against 73, p about 1e-20", arange_mod(613, 101, 613), arange_mod(73, 5, 250, 350)),
    ("exact: 613 against 73, disjoint", arange_mod(613, 101, 613), arange_mod(73, 5, 73, 1000)),
    ("exact: 613 against 420", arange_mod(613, 101, 613), arange_mod(420, 11, 613, 30)),
    ("exact: 613 against 420, p about 1e-62", arange_mod(613, 101, 613), arange_mod(420, 11, 613, 320)),
    ("exact: 1000 against 999", arange_mod(1000, 7, 1000), arange_mod(999, 7, 999, 45)),
    ("exact: 1000 against 999, p about 1e-196", arange_mod(1000, 7, 1000), arange_mod(999, 7, 999, 645)),
    ("exact: 1000 against 999, p about 1e-284", arange_mod(1000, 7, 1000), arange_mod(999, 7, 999, 760)),
    ("exact: 600 against 900, disjoint, underflow to 0",
     arange_mod(600, 7, 600), arange_mod(900, 7, 900, 5000)),
    ("exact: 10000 = 10000, one step", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 1)),
    ("exact: 10000 = 10000, D 0.015", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 150)),
    ("exact: 10000 = 10000, D 0.1", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 1000)),
    ("exact: 10000 = 10000, D 0.2", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 2000)),
    ("exact: 10000 = 10000, D 0.262", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 2620)),
    ("exact: 10000 = 10000, just above the smallest normal number", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 2644)),
    ("exact: 10000 = 10000, subnormal", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 2670)),
    ("exact: 10000 = 10000, underflow to 0", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 2800)),
    ("exact: 10000 = 10000, disjoint", arange_mod(10000, 7, 10000), arange_mod(10000, 9, 10000, 20000)),
]


def ks_two_sample():
    cases = []
    for name, x, y in KS_SCIPY:
        xs, ys = rebuild(x), rebuild(y)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = stats.ks_2samp(xs, ys, method="exact")
        if caught:
            print(f"dropped {name}: {caught[0].message}")
            continue
        h, lcm = ks_numerator(xs, ys)
        assert math.isclose(h / lcm, result.statistic, rel_tol=1e-12, abs_tol=0), name
        case = {"name": name, "x": x, "y": y, "n": len(xs), "m": len(ys), "h": h, "lcm": lcm}
        case["call"] = 'scipy.stats.ks_2samp(x, y, method="exact")'
        case["statistic"], case["p_value"] = h / lcm, float(result.pvalue)
        cases.append(case)
    for name, x, y in KS_EXACT:
        xs, ys = rebuild(x), rebuild(y)
        h, lcm = ks_numerator(xs, ys)
        p = float(count_paths(len(xs), len(ys), h))
        case = {"name": name, "x": x, "y": y, "n": len(xs), "m": len(ys), "h": h, "lcm": lcm}
        case["call"] = "exact integer path counting (tests/golden/generate.py: count_paths)"
        case["statistic"], case["p_value"] = h / lcm, p
        cases.append(case)
    by_input = {}
    for case in cases:  # where both were computed, they must agree
        key = json.dumps([case["x"], case["y"]])
        other = by_input.setdefault(key, case)
        assert math.isclose(other["p_value"], case["p_value"], rel_tol=1e-10), (other["name"], case["name"])
    write("ks_two_sample.json",
          "Two-sample Kolmogorov-Smirnov. The statistic is h / lcm(n, m); p_value = P(D >= h / lcm) for independent rows. "
          "Samples given as a rule are rebuilt in integers: arange_mod is [((i * multiplier) mod modulus) + shift for i in "
          "0..n], square_mod the same with i * i.", cases)


def kstwo_durbin(n, d):
    """P(D_n >= d): the matrix of Durbin (1973) as Marsaglia, Tsang & Wang (2003) raise it to the n-th power, in 100-digit
    decimals, which leaves more than 60 correct digits for the n used here."""
    d = Decimal(d)
    if n * d <= Decimal("0.5"):
        return Decimal(1)
    k = int(n * d) + 1
    size, h = 2 * k - 1, k - n * d
    matrix = [[Decimal(1 if i - j + 1 >= 0 else 0) for j in range(size)] for i in range(size)]
    for i in range(size):
        matrix[i][0] -= h ** (i + 1)
        matrix[size - 1][i] -= h ** (size - i)
    matrix[size - 1][0] += (2 * h - 1) ** size if 2 * h - 1 > 0 else 0
    for i in range(size):
        for j in range(size):
            if i - j + 1 > 0:
                matrix[i][j] /= math.factorial(i - j + 1)
    power = [Decimal(1 if i == k - 1 else 0) for i in range(size)]
    for _ in range(n):
        power = [sum(power[i] * matrix[i][j] for i in range(max(j - 1, 0), size)) for j in range(size)]
    return 1 - power[k - 1] * math.factorial(n) / Decimal(n) ** n


KS_TAILS = [1 - 1e-9, 1 - 1e-6, 0.999, 0.95, 0.8, 0.5, 0.27, 0.1, 0.05, 0.01, 1e-3, 1e-5, 1e-8, 1e-12, 1e-20, 1e-50, 1e-100,
            1e-200, 1e-300]


def kolmogorov_tail():
    cases = []
    for n in [1, 2, 5, 10, 50, 73, 140, 141, 500, 5000, 10000, 100000, 1000000]:
        seen = set()
        for target in KS_TAILS:
            d = float(f"{stats.kstwo.isf(target, n):.5g}")
            sf = float(stats.kstwo.sf(d, n))
            if d in seen or not 0 < d < 1 or sf == 0:
                continue
            seen.add(d)
            case = {"name": f"n {n}, D {d}", "n": n, "d": d, "call": f"scipy.stats.kstwo.sf({d!r}, {n})", "sf": sf}
            cases.append(case)
    for n, ds in [(1, [0.5, 0.75, 0.999]), (2, [0.25, 0.3, 0.6, 0.99]), (5, [0.1, 0.2, 0.5, 0.9]),
                  (10, [0.0625, 0.125, 0.25, 0.375, 0.5, 0.75, 0.96875]), (50, [0.03125, 0.0625, 0.125, 0.1875, 0.25]),
                  (73, [0.078125, 0.125, 0.1875]), (140, [0.046875, 0.078125, 0.125]), (141, [0.046875, 0.078125, 0.125]),
                  (500, [0.02734375, 0.046875, 0.0625])]:
        for d in ds:
            exact = float(kstwo_durbin(n, d))
            error = abs(stats.kstwo.sf(d, n) / exact - 1)
            if error > 1e-9:
                print(f"note: kstwo.sf({d}, {n}) is {error:.1e} off, relative")
            cases.append({"name": f"exact: n {n}, D {d}", "n": n, "d": d,
                          "call": "100-digit Durbin matrix (tests/golden/generate.py: kstwo_durbin)", "sf": exact})
    for n, d in [(1, 0.0), (10, 0.0), (1000000, 0.0), (10, 1.0), (1000, 1.0), (1000000, 1.0)]:
        cases.append({"name": f"edge: n {n}, D {d}", "n": n, "d": d, "call": f"scipy.stats.kstwo.sf({d!r}, {n})",
                      "sf": float(stats.kstwo.sf(d, n))})
    write("kolmogorov_tail.json", "P(D_n >= d) of the one-sample two-sided Kolmogorov distribution.", cases)


# --- chi-squared ---------------------------------------------------------------------------------------------------


def gamma_half(twice):
    """Gamma(twice / 2) in decimals."""
    if twice % 2 == 0:
        return Decimal(math.factorial(twice // 2 - 1))
    pi = Decimal(0)
    for k in range(getcontext().prec):  # Bailey, Borwein & Plouffe (1997): 1.2 digits per term
        pi += (Decimal(4) / (8 * k + 1) - Decimal(2) / (8 * k + 4) - Decimal(1) / (8 * k + 5) - Decimal(1) / (8 * k + 6)) / 16**k
    value = pi.sqrt()
    for j in range(1, twice, 2):
        if j + 2 <= twice:
            value *= Decimal(j) / 2
    return value


def chi2_sf_decimal(x, df):
    """Q(df/2, x/2) from the lower series, with enough digits that the subtraction from 1 loses none that count."""
    digits = getcontext().prec
    getcontext().prec = digits + int(float(x) * 0.45) + 50
    a, z = Decimal(df) / 2, Decimal(x) / 2
    term = z**a * (-z).exp() / (gamma_half(df) * a)
    total, k = term, 0
    while term > total.scaleb(-getcontext().prec):
        k += 1
        term = term * z / (a + k)
        total += term
    value = 1 - total
    getcontext().prec = digits
    return value if value > 0 else Decimal(0)


def chi2_sf_even(x, df):
    """For even df the tail is a finite sum: exp(-x/2) sum_{k < df/2} (x/2)^k / k!"""
    z = Decimal(x) / 2
    return (-z).exp() * sum(z**k / math.factorial(k) for k in range(df // 2))


def chi2_sf(x, df):
    """scipy's value, or the decimal one where scipy gives up on subnormal results and returns 0."""
    p = float(stats.chi2.sf(x, df))
    if p > 1e-300 or x > 2500:
        return p
    return float(chi2_sf_even(x, df) if df % 2 == 0 else chi2_sf_decimal(x, df))


TABLES = [
    ("even two by two", [[10, 10], [10, 10]]),
    ("two by two", [[30, 10], [22, 18]]),
    ("small but allowed", [[6, 5], [5, 6]]),
    ("two by three", [[20, 30, 50], [25, 25, 40]]),
    ("two by four, unequal totals", [[350, 120, 80, 63], [41, 14, 11, 7]]),
    ("classes of a drifted day", [[298, 121, 110, 84], [150, 90, 100, 60]]),
    ("ten deciles, undrifted", [[61, 62, 61, 61, 62, 61, 61, 62, 61, 61], [38, 42, 40, 41, 37, 44, 39, 40, 42, 37]]),
    ("ten deciles, shifted", [[61, 62, 61, 61, 62, 61, 61, 62, 61, 61], [90, 75, 60, 50, 42, 30, 22, 15, 9, 7]]),
    ("proportional rows", [[10, 20, 30, 40], [50, 100, 150, 200]]),
    ("twenty cells", [[10 + i for i in range(20)], [30 - i for i in range(20)]]),
    ("large counts, slight change", [[500000, 300000, 200000], [500600, 299500, 199900]]),
    ("large counts, extreme p", [[500000, 300000, 200000], [490000, 305000, 205000]]),
    ("p about 1e-215", [[900, 100, 500], [200, 800, 500]]),
    ("p about 1e-294", [[900, 90, 510], [105, 960, 435]]),
    ("p subnormal", [[900, 75, 525], [76, 945, 479]]),
    ("p underflows", [[100000, 10], [10, 100000]]),
    ("51 cells", [[100 + 7 * (i * i % 11) for i in range(51)], [90 + 5 * (i * i % 13) for i in range(51)]]),
]


def chi_squared():
    cases = []
    for name, table in TABLES:
        result = stats.chi2_contingency(table, correction=False)
        assert result.expected_freq.min() >= 5, name
        cases.append({"name": name, "table": table, "call": "scipy.stats.chi2_contingency(table, correction=False)",
                      "statistic": float(result.statistic), "df": int(result.dof), "p_value": chi2_sf(result.statistic, result.dof)})
    tails = []
    for df in [1, 2, 3, 4, 7, 9, 10, 19, 50, 99]:
        for target in [1 - 1e-9, 0.99, 0.5, 0.05, 1e-4, 1e-12, 1e-50, 1e-150, 1e-300]:
            tails.append((float(f"{stats.chi2.isf(target, df):.6g}"), df))
    tails += [(0.0, 1), (0.0, 9), (1e-300, 1), (1e-8, 1), (1e-8, 3)]
    for x, df in tails:
        p, exact = float(stats.chi2.sf(x, df)), float(chi2_sf_even(x, df) if df % 2 == 0 else chi2_sf_decimal(x, df))
        assert math.isclose(p, exact, rel_tol=2e-12), (x, df, p, exact)
        cases.append({"name": f"tail: x {x}, df {df}", "x": x, "df": df, "call": f"scipy.stats.chi2.sf({x!r}, {df})", "sf": p})
    for x, df in [(1400.0, 1), (1410.0, 2), (1425.0, 1), (1430.0, 2), (1440.0, 4), (1475.0, 9), (1480.0, 2), (1485.0, 2), (1495.0, 2),
                  (1600.0, 10), (5000.0, 1)]:
        exact = chi2_sf_even(x, df) if df % 2 == 0 else chi2_sf_decimal(x, df)
        cases.append({"name": f"exact tail: x {x}, df {df}", "x": x, "df": df,
                      "call": "100-digit decimal arithmetic (tests/golden/generate.py: chi2_sf_even, chi2_sf_decimal)",
                      "sf": float(exact)})
        if not math.isclose(float(exact), stats.chi2.sf(x, df), rel_tol=1e-9):
            print(f"note: chi2.sf({x}, {df}) is {stats.chi2.sf(x, df)!r}, exactly {float(exact)!r}")
    write("chi_squared.json", "Pearson's test on a 2 x K table without continuity correction (cases with `table`), and the "
          "chi-squared tail itself (cases with `x`). Below 1e-300 scipy returns 0 too early, and decimal arithmetic gives the "
          "value.", cases)


def two_proportions():
    cases = []
    small = [(0, 5, 0, 5), (1, 9, 11, 3), (0, 10, 10, 0), (3, 1, 1, 3), (5, 0, 1, 4), (0, 73, 4, 609), (2, 71, 12, 601),
             (8, 32, 10, 603), (73, 0, 613, 0), (1, 0, 0, 1), (7, 3, 7, 3), (2, 28, 13, 21), (0, 40, 13, 600), (15, 25, 20, 593),
             (1, 1, 1, 1), (30, 10, 22, 18), (40, 360, 18, 595), (12, 408, 18, 595)]
    for a, b, c, d in small:
        p = float(stats.fisher_exact([[a, b], [c, d]]).pvalue)
        cases.append({"name": f"Fisher {a}/{a + b} against {c}/{c + d}", "a": a, "b": b, "c": c, "d": d,
                      "method": "fisher", "call": f"scipy.stats.fisher_exact([[{a}, {b}], [{c}, {d}]])", "p_value": p})
    large = [(30, 383, 18, 595), (200, 800, 150, 850), (10, 990, 20, 1980), (5000, 95000, 5200, 94800),
             (120, 9880, 60, 9940), (9000, 1000, 100, 9900), (40000, 60000, 45000, 55000), (500, 500, 500, 500),
             (300000, 700000, 301000, 699000)]
    for a, b, c, d in large:
        result = stats.chi2_contingency([[a, b], [c, d]], correction=False)
        cases.append({"name": f"chi-squared {a}/{a + b} against {c}/{c + d}", "a": a, "b": b, "c": c, "d": d,
                      "method": "chi-squared",
                      "call": f"scipy.stats.chi2_contingency([[{a}, {b}], [{c}, {d}]], correction=False)",
                      "statistic": float(result.statistic), "p_value": chi2_sf(result.statistic, 1)})
    write("two_proportions.json", "Two proportions, a of a + b against c of c + d, two-sided: Fisher's exact test where counts "
          "are small, the uncorrected chi-squared test where they are large.", cases)


# --- distances -----------------------------------------------------------------------------------------------------


def wasserstein():
    pairs = [(name, x, y) for name, x, y in KS_SCIPY if len(rebuild(x)) + len(rebuild(y)) <= 1300 and name != "subnormal and huge"]
    pairs += [
        ("disjoint by a thousand", [0, 1, 3], [1000, 1001, 1003]),
        ("negative", [-5, -3, -1], [-4.5, -2.5, -1.5, -0.5]),
        ("huge offset", [1e9, 1e9 + 1, 1e9 + 2], [1e9 + 0.5, 1e9 + 1.5, 1e9 + 4]),
        ("huge offset, integers", arange_mod(200, 7, 200, 10**12), arange_mod(150, 7, 200, 10**12 + 25)),
        ("tiny values", [1e-200, 2e-200, 3e-200], [1.5e-200, 4e-200]),
        ("huge values", [1e200, 2e200], [3e200, 5e200, 7e200]),
        ("one outlier", arange_mod(100, 1, 100), list(range(99)) + [10**6]),
        ("the ECDF difference changes sign", [0, 10], [4, 5, 6]),
        ("10000 against 9999", arange_mod(10000, 7, 10000), arange_mod(9999, 7, 9999, 170)),
    ]
    cases = [{"name": name, "x": x, "y": y, "call": "scipy.stats.wasserstein_distance(x, y)",
              "distance": float(stats.wasserstein_distance(rebuild(x), rebuild(y)))} for name, x, y in pairs]
    write("wasserstein.json", "The 1-Wasserstein distance of two samples. Rules as in ks_two_sample.json.", cases)


COUNTS = [
    ("identical", [10, 20, 30], [10, 20, 30]),
    ("proportional", [1, 2, 3], [10, 20, 30]),
    ("disjoint", [5, 5, 0, 0], [0, 0, 7, 1]),
    ("one cell", [613], [73]),
    ("two cells", [300, 313], [20, 53]),
    ("an empty cell on one side", [10, 0, 5], [3, 4, 8]),
    ("an empty cell on both sides", [10, 0, 5], [3, 0, 8]),
    ("deciles against a quiet day", [61, 62, 61, 61, 62, 61, 61, 62, 61, 61], [5, 3, 4, 6, 2, 4, 5, 3, 4, 4]),
    ("deciles against an ordinary day", [61, 62, 61, 61, 62, 61, 61, 62, 61, 61], [38, 42, 40, 41, 37, 44, 39, 40, 42, 37]),
    ("deciles against a shifted day", [61, 62, 61, 61, 62, 61, 61, 62, 61, 61], [90, 75, 60, 50, 42, 30, 22, 15, 9, 7]),
    ("everything in the last decile", [61, 62, 61, 61, 62, 61, 61, 62, 61, 61], [0, 0, 0, 0, 0, 0, 0, 0, 0, 400]),
    ("dead extractor in one middle cell", [61, 62, 61, 61, 62, 61, 61, 62, 61, 61], [0, 0, 0, 0, 420, 0, 0, 0, 0, 0]),
    ("with missing and non-finite cells", [60, 61, 60, 60, 61, 60, 60, 61, 60, 60, 10, 0], [40, 39, 41, 40, 38, 42, 40, 40, 41, 39, 12, 3]),
    ("missing only in the current", [153, 153, 153, 154, 0], [60, 61, 59, 60, 180]),
    ("zero-inflated", [276, 67, 68, 67, 67, 68], [110, 60, 70, 62, 55, 58]),
    ("one row against one", [1, 0], [0, 1]),
    ("large counts", [100000] * 10, [100000 + 300 * (i * i % 7) for i in range(10)]),
    ("very large counts", [10**9, 2 * 10**9, 3 * 10**9], [10**9 + 10**6, 2 * 10**9, 3 * 10**9 - 10**6]),
    ("51 cells", [100 + 7 * (i * i % 11) for i in range(51)], [10 + (i * i % 13) for i in range(51)]),
]


def jensen_shannon_decimal(p, q):
    p, q = [Decimal(a) / sum(map(Decimal, p)) for a in p], [Decimal(a) / sum(map(Decimal, q)) for a in q]
    half = [(a + b) / 2 for a, b in zip(p, q)]
    nats = sum(a * (a / mid).ln() for w in (p, q) for a, mid in zip(w, half) if a > 0)
    value = (abs(nats) / 2 / Decimal(2).ln()).sqrt()
    return value if value > Decimal("1e-40") else Decimal(0)


def jensen_shannon():
    cases = []
    extra = [("probabilities", [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]), ("certain against even", [1.0, 0.0], [0.5, 0.5]),
             ("almost equal", [0.5, 0.5], [0.5000001, 0.4999999])]
    for name, p, q in COUNTS + extra:
        call, value = "scipy.spatial.distance.jensenshannon(p, q, base=2)", float(jensenshannon(p, q, base=2))
        exact = float(jensen_shannon_decimal(p, q))
        if not math.isclose(value, exact, rel_tol=1e-12):  # the root of a cancelled sum: scipy has few or no digits here
            print(f"note: jensenshannon of {name!r} is {value!r}, exactly {exact!r}")
            call, value = "100-digit decimal arithmetic (tests/golden/generate.py: jensen_shannon_decimal)", exact
        cases.append({"name": name, "p": p, "q": q, "call": call, "distance": value})
    write("jensen_shannon.json", "The Jensen-Shannon distance (the square root of the divergence, base 2, in [0, 1]) of two "
          "weight vectors, which are normalised to sum to 1 and not smoothed.", cases)


def psi():
    cases = []
    for name, reference, current in COUNTS:
        r, c = np.array(reference, float), np.array(current, float)
        cells, n, m = len(reference), int(r.sum()), int(c.sum())
        p, q = (r + 0.5) / (n + cells / 2), (c + 0.5) / (m + cells / 2)
        value = math.fsum((q - p) * np.log(q / p))
        noise = 1 / n + 1 / m
        p_value = chi2_sf(float(value / noise), cells - 1) if cells > 1 else 1.0
        cases.append({"name": name, "reference": reference, "current": current,
                      "call": "p = (r + 0.5) / (n + B/2); q = (c + 0.5) / (m + B/2); value = sum((q - p) * log(q / p)); "
                              "adjusted = max(0, value - (B - 1) * (1/n + 1/m)); "
                              "p_value = scipy.stats.chi2.sf(value / (1/n + 1/m), B - 1), 1 where B = 1",
                      "value": value, "adjusted": max(0.0, value - (cells - 1) * noise), "p_value": p_value})
    write("psi.json", "The population stability index of two count vectors with Jeffreys smoothing, effective rows = rows.", cases)


# --- several tests, proportions ------------------------------------------------------------------------------------


def benjamini_hochberg():
    vectors = [
        ("one", [0.03]), ("one, certain", [1.0]), ("one, zero", [0.0]), ("two", [0.04, 0.01]), ("all ones", [1.0] * 5),
        ("all zeros", [0.0] * 4), ("all tied", [0.2] * 6), ("ties in the middle", [0.01, 0.02, 0.02, 0.02, 0.5]),
        ("sorted", [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205]),
        ("reversed", [0.205, 0.074, 0.06, 0.042, 0.041, 0.039, 0.008, 0.001]),
        ("the running minimum matters", [0.01, 0.013, 0.014, 0.19, 0.35, 0.5, 0.63, 0.67, 0.75, 0.81]),
        ("zeros and ones", [0.0, 1.0, 0.0, 1.0, 0.5]), ("capped at one", [0.9, 0.95, 0.99]),
        ("sixteen features, six drifted", [1e-40, 0.31, 2e-25, 0.77, 1e-300, 0.12, 0.49, 3e-9, 0.04, 0.98, 1e-18, 0.63, 0.22, 5e-12, 0.051, 0.85]),
        ("sixteen uniform", [(i * 7 % 16 + 0.5) / 16 for i in range(16)]),
        ("subnormal", [5e-324, 1e-310, 0.5]),
        ("hundred squares", [(i * i % 101 + 1) / 102 for i in range(100)]),
        ("hundred and twenty pairs, tiny", [((i * i % 127) + 1) / 1e6 for i in range(120)]),
    ]
    cases = [{"name": name, "p_values": ps, "call": "scipy.stats.false_discovery_control(ps)",
              "q_values": [float(q) for q in stats.false_discovery_control(ps)]} for name, ps in vectors]
    write("benjamini_hochberg.json", "Benjamini-Hochberg adjusted p-values, in the order of the input.", cases)


def proportions():
    cases = []
    for k, n in [(0, 1), (1, 1), (0, 10), (5, 10), (10, 10), (1, 10), (0, 12), (0, 148), (0, 149), (1, 149), (0, 300), (3, 200),
                 (85, 100), (84, 100), (99, 100), (425, 500), (840, 1000), (8500, 10000), (500000, 1000000), (1, 1000000)]:
        for method in ["wilson", "beta"]:
            for alpha in [0.05, 0.1]:
                low, high = proportion_confint(k, n, alpha=alpha, method=method)
                cases.append({"name": f"{method} {k}/{n} at {1 - alpha:g}", "successes": k, "trials": n, "alpha": alpha,
                              "method": method,
                              "call": f'statsmodels.stats.proportion.proportion_confint({k}, {n}, alpha={alpha}, method="{method}")',
                              "low": max(0.0, float(low)), "high": min(1.0, float(high))})
    write("proportions.json", "Two-sided intervals of a proportion: Wilson, and Clopper-Pearson (method beta). A one-sided 95 % "
          "bound is the end of the interval with alpha 0.1.", cases)


if __name__ == "__main__":
    ks_two_sample()
    kolmogorov_tail()
    chi_squared()
    two_proportions()
    wasserstein()
    jensen_shannon()
    psi()
    benjamini_hochberg()
    proportions()
